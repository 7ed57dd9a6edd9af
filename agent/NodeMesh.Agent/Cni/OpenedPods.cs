using System.Text.Json.Serialization;

namespace NodeMesh.Agent.Cni;

/// <summary>A pod that started without its policy in force.</summary>
/// <param name="Reason">Why it was not.</param>
internal sealed record OpenedPod(string Namespace, string Name, string Uid, DateTimeOffset At, string Reason);

/// <summary>Those pods, left by the plugin for the agent to tell of.</summary>
internal static partial class OpenedPods
{
    private static readonly ContainerNotes<OpenedPod> s_notes = new("cni-opened", 1000, Json.Default.OpenedPod);

    public static void Note(string runDir, string containerId, OpenedPod pod) => s_notes.Write(runDir, containerId, pod);

    /// <summary>With the file of each, for <see cref="Forget"/>.</summary>
    public static IReadOnlyList<(string File, OpenedPod Pod)> Read(string runDir) => s_notes.Read(runDir);

    public static void Forget(string file) => File.Delete(file);

    /// <summary>Of all of them.</summary>
    public static void Clear(string runDir) => s_notes.Clear(runDir);

    [JsonSerializable(typeof(OpenedPod))]
    private sealed partial class Json : JsonSerializerContext;
}

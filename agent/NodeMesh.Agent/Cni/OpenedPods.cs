using System.Text.Json;
using System.Text.Json.Serialization;

namespace NodeMesh.Agent.Cni;

/// <summary>A pod that started without its policy in force.</summary>
/// <param name="Reason">Why it was not.</param>
internal sealed record OpenedPod(string Namespace, string Name, string Uid, DateTimeOffset At, string Reason);

/// <summary>Those pods, left by the plugin for the agent to tell of: a file each, named after the container.</summary>
internal static partial class OpenedPods
{
    private const string Folder = "cni-opened";
    private const int Most = 1000;

    public static void Note(string runDir, string containerId, OpenedPod pod)
    {
        var folder = Directory.CreateDirectory(Path.Combine(runDir, Folder)).FullName;
        if (Directory.EnumerateFiles(folder).Take(Most).Count() >= Most)
            return;

        // The agent must not read the half of it.
        var temporary = Path.Combine(folder, "." + NameOf(containerId));
        File.WriteAllText(temporary, JsonSerializer.Serialize(pod, Json.Default.OpenedPod));
        File.Move(temporary, Path.Combine(folder, NameOf(containerId)), overwrite: true);
    }

    /// <summary>With the file of each, for <see cref="Forget"/>.</summary>
    public static IReadOnlyList<(string File, OpenedPod Pod)> Read(string runDir)
    {
        var folder = Path.Combine(runDir, Folder);
        if (!Directory.Exists(folder))
            return [];
        var found = new List<(string, OpenedPod)>();
        foreach (var path in Directory.GetFiles(folder).Where(p => Path.GetFileName(p)[0] != '.').Order(StringComparer.Ordinal))
        {
            try
            {
                found.Add((path, JsonSerializer.Deserialize(File.ReadAllText(path), Json.Default.OpenedPod) ?? throw new JsonException()));
            }
            catch (JsonException)
            {
                // By no plugin of this version.
                File.Delete(path);
            }
        }

        return found;
    }

    public static void Forget(string file) => File.Delete(file);

    /// <summary>Of all of them.</summary>
    public static void Clear(string runDir)
    {
        var folder = Path.Combine(runDir, Folder);
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    // The runtime's ids are such already; whatever comes must stay in the folder.
    private static string NameOf(string containerId) => string.Concat(containerId.Where(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_').Take(128));

    [JsonSerializable(typeof(OpenedPod))]
    private sealed partial class Json : JsonSerializerContext;
}

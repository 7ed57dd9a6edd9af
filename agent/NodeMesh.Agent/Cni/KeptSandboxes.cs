using System.Text.Json.Serialization;
using NodeMesh.Model;

namespace NodeMesh.Agent.Cni;

/// <summary>What the plugin tells at ADD, as it stands in the file.</summary>
/// <param name="RuntimeProcess">By whose root the network namespace is seen.</param>
internal sealed record KeptSandbox(string ContainerId, string Namespace, string Name, string Uid, string Netns, int RuntimeProcess, string[] Addresses);

/// <summary>
/// The networks of the pods that run, left by the plugin from ADD to DEL: an agent that starts anew knows by them a pod's address that the API has not been told yet.
/// The plugin writes and takes back, so that it does not matter whether an agent is there.
/// </summary>
internal static partial class KeptSandboxes
{
    /// <summary>A process of the node that sees its mounts, where the runtime has started anew.</summary>
    private const int Init = 1;

    private static readonly ContainerNotes<KeptSandbox> s_notes = new("cni-sandboxes", 2000, SandboxJson.Default.KeptSandbox);

    public static void Keep(string runDir, KeptSandbox sandbox) => s_notes.Write(runDir, sandbox.ContainerId, sandbox);

    public static void Remove(string runDir, string containerId) => s_notes.Remove(runDir, containerId);

    /// <summary>All but these.</summary>
    public static void RemoveOthers(string runDir, IReadOnlySet<string> containerIds)
    {
        foreach (var (file, sandbox) in s_notes.Read(runDir))
            if (!containerIds.Contains(sandbox.ContainerId))
                File.Delete(file);
    }

    public static void Clear(string runDir) => s_notes.Clear(runDir);

    /// <summary>Those whose network namespace is still there; what is left of others goes.</summary>
    /// <param name="isNamespace">Whether there is one at a path.</param>
    /// <exception cref="IOException">They cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public static IReadOnlyList<Sandbox> Read(string runDir, Func<string, bool> isNamespace)
    {
        var found = new List<Sandbox>();
        foreach (var (file, kept) in s_notes.Read(runDir))
        {
            var netns = NodePaths.NetnsOf(kept.Netns, kept.RuntimeProcess);
            if (!isNamespace(netns))
                netns = NodePaths.NetnsOf(kept.Netns, Init);
            if (!isNamespace(netns))
            {
                File.Delete(file);
                continue;
            }

            found.Add(new Sandbox(kept.ContainerId, new ObjectName(kept.Namespace, kept.Name), kept.Uid, netns, [.. kept.Addresses.Select(a => IpAddr.TryParse(a, out var address) ? (IpAddr?)address : null).OfType<IpAddr>()]) { IsRecalled = true });
        }

        return found;
    }

    [JsonSerializable(typeof(KeptSandbox))]
    private sealed partial class SandboxJson : JsonSerializerContext;
}

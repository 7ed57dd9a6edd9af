using System.Globalization;
using NodeMesh.Native;

namespace NodeMesh.Agent.Cni;

/// <summary>Network namespaces as the container runtime names them: it sees the node's files, and the agent's container has not all of those.</summary>
internal static class NodePaths
{
    /// <summary>Where a network namespace's file is seen from here; as given when it is not.</summary>
    /// <param name="process">Of the runtime: what it sees, we see by its root. A mount of /run/netns would not do: what is mounted there later reaches a container
    /// only where the node's mounts are shared.</param>
    public static string NetnsOf(string path, int process)
    {
        if (process <= 0 || FileSystems.IsNamespace(path))
            return path;

        // Usually a link to /run, which would be followed to our own.
        var own = path.StartsWith("/var/run/", StringComparison.Ordinal) ? path["/var".Length..] : path;
        var there = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/root{own}");
        return FileSystems.IsNamespace(there) ? there : path;
    }
}

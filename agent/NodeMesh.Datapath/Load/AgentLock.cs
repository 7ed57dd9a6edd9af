using NodeMesh.Native;

namespace NodeMesh.Datapath.Load;

/// <summary>One agent per node: held while it runs, and freed by the kernel when it dies.</summary>
internal static class AgentLock
{
    /// <exception cref="NodeFaultException">SecondAgent or NotPrivileged.</exception>
    public static OwnedFd Take(string runDirectory)
    {
        var path = Path.Combine(runDirectory, "agent.lock");
        try
        {
            Directory.CreateDirectory(runDirectory);
            return FileSystems.TryLock(path) ?? throw Held(path);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException or SyscallException { Errno: Errno.EACCES or Errno.EPERM })
        {
            throw new NodeFaultException(NodeFault.NotPrivileged, $"{path} cannot be opened: {e.Message}. Cure: run as root, or choose another --run-dir", e);
        }
    }

    /// <summary>Also two agents that were given run directories of their own must not share tables and links.</summary>
    /// <exception cref="NodeFaultException">SecondAgent.</exception>
    public static OwnedFd TakePins(PinTree pins) => FileSystems.TryLockDirectory(pins.Base) ?? throw Held(pins.Base);

    private static NodeFaultException Held(string path) => new(
        NodeFault.SecondAgent,
        $"another NodeMesh agent runs on this node (it holds {path}). Cure: stop it first, or give this one its own --run-dir and --bpffs in a network namespace of its own");
}

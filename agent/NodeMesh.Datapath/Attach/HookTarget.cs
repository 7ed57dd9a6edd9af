using NodeMesh.Native;

namespace NodeMesh.Datapath.Attach;

/// <param name="PinName">Of the link: says interface and direction.</param>
/// <param name="Ingress">tcx ingress of the interface, else egress.</param>
internal sealed record HookTarget(string PinName, int Ifindex, bool Ingress, string Object, string Program)
{
    /// <summary>How programs of NodeMesh are told from others'.</summary>
    public const string ProgramPrefix = "nm_";
    public const string EndpointPrefix = "ep_";
    public const string DevicePrefix = "dev_";

    /// <summary>Traffic from the pod arrives at the host side, traffic to the pod leaves there.</summary>
    public static IEnumerable<HookTarget> OfEndpoint(int ifindex) =>
    [
        new($"{EndpointPrefix}{ifindex}_in", ifindex, true, "endpoint", "nm_pod_ingress"),
        new($"{EndpointPrefix}{ifindex}_out", ifindex, false, "endpoint", "nm_pod_egress"),
    ];

    /// <summary>What comes in from other nodes and the world, and what this node itself answers them.</summary>
    public static IEnumerable<HookTarget> OfDevice(int ifindex) =>
    [
        new($"{DevicePrefix}{ifindex}_in", ifindex, true, "node", "nm_node_ingress"),
        new($"{DevicePrefix}{ifindex}_out", ifindex, false, "node", "nm_node_egress"),
    ];
}

internal enum HookRemovals
{
    None,

    /// <summary>Not from interfaces on which an earlier agent guarded a pod that this one has not found yet.</summary>
    ButEarlierPods,
    All,
}

/// <summary>Puts programs on interfaces and keeps them there, first of all on their hook.</summary>
internal interface IInterfaceHooks : IDisposable
{
    /// <summary>Attaches what is missing, takes off what is not named, and checks that each is still first.</summary>
    /// <param name="look">Whether that is checked, and what others left is looked for, too; without it what the last call left is taken to be there.</param>
    /// <param name="removals">Which of what is not named is taken off, where its interface is not gone.</param>
    /// <returns>How many attachments were made, swapped or removed.</returns>
    int Sync(IReadOnlyCollection<HookTarget> targets, bool look, HookRemovals removals, RoundNotes notes);

    /// <summary>Whether a target is attached, as far as known.</summary>
    bool IsAttached(HookTarget target);

    /// <summary>Whether somebody changed what the last <see cref="Sync"/> left. Cheap, to be asked often.</summary>
    /// <exception cref="SyscallException">An interface is just going, say: the next round will tell.</exception>
    bool IsDisturbed();
}

namespace NodeMesh.Datapath;

/// <summary>Why this node cannot run the data path. Each value has an exit code of its own.</summary>
public enum NodeFault
{
    NotPrivileged,
    NoBpffs,
    NoCgroup2,
    UnsupportedKernel,
    SecondAgent,
    LayoutMismatch,
    ProgramRejected,
}

/// <summary>One sentence for a person, with the cure.</summary>
public sealed class NodeFaultException(NodeFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    public NodeFault Fault { get; } = fault;
}

namespace NodeMesh.Agent;

/// <summary>What the process tells a script. The numbers stay; docs/cli.md is written from this table.</summary>
internal enum ExitCode
{
    Ok = 0,
    Failed = 1,
    Usage = 2,
    InvalidInput = 3,
    AgentUnreachable = 4,
    NotReady = 5,
    NotPrivileged = 10,
    KernelUnsupported = 11,
    NoBpffs = 12,
    NoCgroup2 = 13,
    PortInUse = 14,
    SecondAgent = 15,
    BadOptions = 16,
    BpfRejected = 17,
    NoOpenSsl = 18,
}

internal static class ExitCodes
{
    public static readonly (ExitCode Code, string Meaning)[] All =
    [
        (ExitCode.Ok, "done"),
        (ExitCode.Failed, "something else failed; the message says what"),
        (ExitCode.Usage, "the command line is wrong: unknown verb or option, missing argument"),
        (ExitCode.InvalidInput, "validate, plan: an object is in error, or a file cannot be read"),
        (ExitCode.AgentUnreachable, "no agent answers on the socket"),
        (ExitCode.NotReady, "status: the agent answers but is not ready; check: this node cannot run the agent"),
        (ExitCode.NotPrivileged, "agent, mount, cleanup: missing privilege"),
        (ExitCode.KernelUnsupported, "agent: the kernel lacks what the data path needs"),
        (ExitCode.NoBpffs, "agent: no BPF file system where --bpffs says"),
        (ExitCode.NoCgroup2, "agent: no cgroup2 file system, or --cgroup is not in one"),
        (ExitCode.PortInUse, "agent: a port it needs is taken"),
        (ExitCode.SecondAgent, "agent: another agent runs on this node"),
        (ExitCode.BadOptions, "agent: an option has a value that cannot be"),
        (ExitCode.BpfRejected, "agent: the BPF programs could not be compiled, do not fit this agent, or were refused by the kernel"),
        (ExitCode.NoOpenSsl, "agent, validate, plan: OpenSSL 3 is not on this machine"),
    ];
}

/// <summary>Ends the command with one sentence for a person on stderr.</summary>
internal sealed class CommandFailure(ExitCode code, string message, Exception? inner = null) : Exception(message, inner)
{
    public ExitCode Code { get; } = code;
}

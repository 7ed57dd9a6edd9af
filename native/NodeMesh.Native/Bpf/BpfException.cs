namespace NodeMesh.Native.Bpf;

/// <summary>The kernel or libbpf refused something about BPF.</summary>
/// <param name="call">"load", "link_create", "map_update".</param>
/// <param name="subject">The object, program, map or path.</param>
/// <param name="verifierTail">Last lines of the verifier's log; empty when the verifier was not the one who refused.</param>
public sealed class BpfException(string call, string subject, int errno, string verifierTail = "")
    : SyscallException(call, subject, errno, verifierTail)
{
    public string VerifierTail { get; } = verifierTail;
}

/// <summary>One program the verifier rejected.</summary>
/// <param name="Program">Name of the program.</param>
/// <param name="Instruction">The instruction at which it stopped, as the log prints it; empty when not in the log.</param>
/// <param name="Tail">Last lines of the log.</param>
internal sealed record VerifierRejection(string Program, string Instruction, string Tail)
{
    private const int TailLines = 12;

    /// <summary>From the messages libbpf wrote during a load and the log the kernel filled; null when no program was named.</summary>
    public static VerifierRejection? Find(IEnumerable<string> messages, string kernelLog)
    {
        const string Start = "prog '";
        const string Failed = "': BPF program load failed";
        var message = messages.FirstOrDefault(m => m.Contains(Failed, StringComparison.Ordinal));
        if (message is null)
            return null;

        var from = message.IndexOf(Start, StringComparison.Ordinal) + Start.Length;
        var program = message[from..message.IndexOf(Failed, StringComparison.Ordinal)];
        var lines = kernelLog.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var instruction = lines.LastOrDefault(IsInstruction) ?? "";
        return new VerifierRejection(program, instruction, string.Join('\n', lines.TakeLast(TailLines)));
    }

    /// <summary>"17: (61) r1 = *(u32 *)(r6 +4)".</summary>
    private static bool IsInstruction(string line)
    {
        var colon = line.IndexOf(": (", StringComparison.Ordinal);
        return colon > 0 && line.AsSpan(0, colon).ContainsAnyExceptInRange('0', '9') == false;
    }
}

using System.Runtime.CompilerServices;

namespace NodeMesh.Native.Bpf;

/// <param name="Id">Unique in the kernel while the program lives.</param>
/// <param name="VerifiedInstructions">What the verifier walked through; 0 before kernel 5.16.</param>
public readonly record struct ProgramFacts(uint Id, string Name, uint Type, uint VerifiedInstructions, uint TranslatedBytes)
{
    internal unsafe struct Raw
    {
        public uint Type;
        public uint Id;
        public uint VerifiedInstructions;
        public uint TranslatedBytes;
        public ulong RunCount;
        public ulong RunTimeNs;
        public fixed byte Name[16];
    }

    /// <summary>Of any program in the kernel; null when there is none of this id, or it may not be looked at.</summary>
    public static ProgramFacts? Find(uint id)
    {
        var fd = Libbpf.bpf_prog_get_fd_by_id(id);
        if (fd < 0)
            return null;
        using var program = new OwnedFd(fd);
        return Of(program.Fd, $"program {id}");
    }

    /// <exception cref="BpfException">The descriptor is not a program's.</exception>
    internal static unsafe ProgramFacts Of(int fd, string subject)
    {
        Raw raw;
        var result = Libbpf.nm_prog_facts(fd, &raw);
        return result == 0
            ? new ProgramFacts(raw.Id, Libbpf.Text(raw.Name), raw.Type, raw.VerifiedInstructions, raw.TranslatedBytes)
            : throw new BpfException("prog_info", subject, -result);
    }
}

/// <param name="Duration">Mean of one run.</param>
public readonly record struct TestRunResult(uint ReturnValue, byte[] Data, byte[] Context, TimeSpan Duration);

/// <summary>A program of an object.</summary>
public sealed unsafe class BpfProgram
{
    private readonly BpfObject _owner;
    private readonly nint _program;

    internal BpfProgram(BpfObject owner, nint program)
    {
        _owner = owner;
        _program = program;
        Name = Libbpf.Text(Libbpf.bpf_program__name(program));
        Section = Libbpf.Text(Libbpf.bpf_program__section_name(program));
    }

    public string Name { get; }

    /// <summary>"cgroup/connect4", "tc".</summary>
    public string Section { get; }

    /// <summary>enum bpf_attach_type, from the section.</summary>
    public int AttachType => Libbpf.bpf_program__expected_attach_type(_program);

    /// <summary>Valid while the object is loaded; negative before.</summary>
    public int Fd => Libbpf.bpf_program__fd(_program);

    public ProgramFacts Facts => ProgramFacts.Of(Fd, ToString());

    /// <summary>Whether Load loads it. Before Load.</summary>
    public void SetAutoload(bool autoload)
    {
        var result = Libbpf.bpf_program__set_autoload(_program, autoload ? (byte)1 : (byte)0);
        if (result < 0)
            throw new BpfException("set_autoload", ToString(), -result);
    }

    /// <summary>BPF_PROG_TEST_RUN.</summary>
    /// <param name="data">Packet, or empty for programs that take none.</param>
    /// <param name="context">struct __sk_buff or the program's own context; empty for the kernel's default.</param>
    /// <param name="repeat">Runs; the result is the last one's.</param>
    /// <exception cref="BpfException">EOPNOTSUPP or ENOTSUPP where this program type cannot be run so.</exception>
    public TestRunResult TestRun(ReadOnlySpan<byte> data, ReadOnlySpan<byte> context = default, int repeat = 1)
    {
        // Programs may grow a packet; a syscall program takes no packet at all and refuses room for one.
        var dataOut = data.IsEmpty ? [] : new byte[data.Length + 256];
        var contextOut = new byte[context.Length];
        fixed (byte* dataIn = data, dataBack = dataOut, contextIn = context, contextBack = contextOut)
        {
            // A syscall program writes its context in place and takes no output buffer.
            var inPlace = data.IsEmpty && !context.IsEmpty;
            if (inPlace)
                context.CopyTo(contextOut);
            var run = new TestRunArguments
            {
                DataIn = dataIn,
                DataSizeIn = (uint)data.Length,
                DataOut = dataBack,
                DataSizeOut = (uint)dataOut.Length,
                ContextIn = inPlace ? contextBack : contextIn,
                ContextSizeIn = (uint)context.Length,
                ContextOut = inPlace ? null : contextBack,
                ContextSizeOut = inPlace ? 0 : (uint)contextOut.Length,
                Repeat = inPlace ? 0 : (uint)repeat,
            };
            var result = Libbpf.nm_prog_test_run(Fd, &run);
            if (result < 0)
                throw new BpfException("prog_test_run", ToString(), -result);
            return new TestRunResult(
                run.ReturnValue, dataOut.AsSpan(0, (int)run.DataSizeOut).ToArray(), contextOut, TimeSpan.FromTicks(run.DurationNs / TimeSpan.NanosecondsPerTick));
        }
    }

    /// <summary>As <see cref="TestRun(ReadOnlySpan{byte}, ReadOnlySpan{byte}, int)"/> with a typed context, which is updated.</summary>
    public TestRunResult TestRun<TContext>(ReadOnlySpan<byte> data, ref TContext context, int repeat = 1)
        where TContext : unmanaged
    {
        var result = TestRun(data, System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<TContext>(in context)), repeat);
        context = Unsafe.ReadUnaligned<TContext>(ref result.Context[0]);
        return result;
    }

    public override string ToString() => $"{_owner.Name}/{Name}";
}

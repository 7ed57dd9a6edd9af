namespace NodeMesh.Native.Bpf;

/// <summary>Small programs and maps made only to see whether the kernel takes them; nothing stays.</summary>
public static unsafe class ProgramProbe
{
    private const int SchedCls = 3;
    private const int LpmTrie = 11;
    private const uint NoPrealloc = 1;
    private const int LogSize = 4096;

    private struct Instruction
    {
        public byte Code;
        public byte Registers;
        public short Offset;
        public int Immediate;
    }

    /// <summary>Whether tc programs may call a helper (BPF_FUNC_* number).</summary>
    public static bool HasTrafficHelper(int helper)
    {
        // Arguments are wrong on purpose: the verifier says "unknown func" or "invalid func" before it looks at them.
        var program = stackalloc Instruction[]
        {
            new() { Code = 0x85, Immediate = helper },
            new() { Code = 0xb7 },
            new() { Code = 0x95 },
        };
        var log = stackalloc byte[LogSize];
        log[0] = 0;
        var result = Libbpf.nm_prog_load_probe(SchedCls, 0, program, 3, log, LogSize);
        if (result == 0)
            return true;
        var text = Libbpf.Text(log);
        return text.Length > 0
            && !text.Contains("unknown func", StringComparison.Ordinal)
            && !text.Contains("invalid func", StringComparison.Ordinal)
            && !text.Contains("cannot use helper", StringComparison.Ordinal);
    }

    /// <summary>Whether several rows of a longest-prefix table can be written by one call.</summary>
    public static bool HasBatchedTries()
    {
        var fd = Libbpf.nm_map_create(LpmTrie, "nm_probe", 8, 4, 1, NoPrealloc);
        if (fd < 0)
            return false;
        using var map = new OwnedFd(fd);
        ulong key = 0;
        var value = 0;
        uint count = 1;
        return Libbpf.nm_map_batch_update(fd, &key, &value, &count) == 0;
    }
}

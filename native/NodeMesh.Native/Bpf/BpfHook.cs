namespace NodeMesh.Native.Bpf;

/// <param name="LinkId">0 when attached without a link.</param>
public readonly record struct HookProgram(uint ProgramId, uint LinkId);

/// <summary>Asks which programs are on a hook.</summary>
public static unsafe class BpfHook
{
    private const int Room = 64;

    /// <summary>In the order in which they run.</summary>
    /// <param name="attachType"><see cref="AttachType"/>.</param>
    /// <exception cref="BpfException">EINVAL: no tcx (before kernel 6.6); ENODEV: no such interface.</exception>
    public static IReadOnlyList<HookProgram> QueryTcx(int ifindex, int attachType)
    {
        var programs = stackalloc uint[Room];
        var links = stackalloc uint[Room];
        new Span<uint>(links, Room).Clear();
        uint count = Room;
        var result = Libbpf.nm_prog_query(ifindex, attachType, programs, links, &count);
        if (result == -Errno.ENOENT)
            return [];
        if (result < 0 && -result != Errno.ENOSPC)
            throw new BpfException("prog_query", $"ifindex {ifindex}", -result);

        var found = new HookProgram[Math.Min((int)count, Room)];
        for (var i = 0; i < found.Length; i++)
            found[i] = new HookProgram(programs[i], links[i]);
        return found;
    }
}

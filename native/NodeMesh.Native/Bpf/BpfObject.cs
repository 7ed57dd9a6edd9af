using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NodeMesh.Native.Bpf;

/// <summary>
/// A compiled BPF object. <see cref="Open"/> reads it without touching the kernel; configuration and map sizes are set; <see cref="Load"/> makes its maps and
/// programs, which live as long as this object, a pin or a link holds them.
/// </summary>
public sealed unsafe class BpfObject : IDisposable
{
    // Virtual until written to. Kernels before 6.4 refuse a load whose log does not fit, instead of keeping the log's end.
    private const int KernelLogSize = 16 << 20;

    private readonly ElfObject _elf;
    private readonly Dictionary<string, nint> _maps = [];
    private readonly Dictionary<string, BpfProgram> _programs = [];
    private byte* _kernelLog;
    private nint _object;

    private BpfObject(string name, ElfObject elf)
    {
        Name = name;
        _elf = elf;
    }

    public string Name { get; }

    /// <summary>Maps that the object declares, without libbpf's own (.rodata and the like).</summary>
    public IEnumerable<string> MapNames => _maps.Keys.Where(n => !n.Contains('.'));

    public IReadOnlyCollection<BpfProgram> Programs => _programs.Values;

    /// <param name="bytes">An ELF relocatable made by clang -target bpf -g.</param>
    /// <exception cref="BpfException">libbpf cannot read it.</exception>
    /// <exception cref="InvalidDataException">Not an ELF file.</exception>
    public static BpfObject Open(ReadOnlyMemory<byte> bytes, string name)
    {
        var self = new BpfObject(name, ElfObject.Read(bytes)) { _kernelLog = (byte*)NativeMemory.AllocZeroed(KernelLogSize) };
        var errno = 0;
        var messages = LibbpfLog.Capture(() =>
        {
            nint opened;
            fixed (byte* start = bytes.Span)
                errno = -Libbpf.nm_object_open(start, (nuint)bytes.Length, name, self._kernelLog, KernelLogSize, &opened);
            self._object = opened;
        });
        if (errno != 0)
        {
            self.Dispose();
            throw new BpfException("open", name, errno, string.Join('\n', messages));
        }

        for (var map = Libbpf.bpf_object__next_map(self._object, 0); map != 0; map = Libbpf.bpf_object__next_map(self._object, map))
            self._maps.Add(Libbpf.Text(Libbpf.bpf_map__name(map)), map);
        for (var p = Libbpf.bpf_object__next_program(self._object, 0); p != 0; p = Libbpf.bpf_object__next_program(self._object, p))
        {
            var program = new BpfProgram(self, p);
            self._programs.Add(program.Name, program);
        }

        return self;
    }

    /// <summary>Sets a const volatile variable. Before <see cref="Load"/>.</summary>
    /// <exception cref="BpfException">No such variable (ENOENT), or its size differs (EINVAL).</exception>
    public void SetConstant<T>(string variable, in T value)
        where T : unmanaged
    {
        if (!_elf.TryGetSymbol(variable, out var section, out var offset, out var size))
            throw new BpfException("set_constant", $"{Name}.{variable}", Errno.ENOENT);

        var map = _maps.FirstOrDefault(m => m.Key.EndsWith(section, StringComparison.Ordinal)).Value;
        nuint room = 0;
        var memory = map == 0 ? null : Libbpf.bpf_map__initial_value(map, &room);
        if (memory is null || size != sizeof(T) || (nuint)(offset + size) > room)
            throw new BpfException("set_constant", $"{Name}.{variable}", Errno.EINVAL, $"{size} bytes in {section}, not {sizeof(T)}");
        Unsafe.WriteUnaligned(memory + offset, value);
    }

    /// <summary>Before <see cref="Load"/>.</summary>
    public void SetMaxEntries(string map, uint entries) => Check(Libbpf.bpf_map__set_max_entries(Map(map), entries), "set_max_entries", map);

    /// <summary>At load the map is taken from there when it is pinned and of the same shape (else EINVAL), and pinned there when not.</summary>
    public void SetPinPath(string map, string path) => Check(Libbpf.bpf_map__set_pin_path(Map(map), path), "set_pin_path", map);

    /// <summary>Makes the programs use an existing map of the same shape. Before <see cref="Load"/>; the descriptor is duplicated.</summary>
    public void UseMap(string map, OwnedFd existing) => Check(Libbpf.bpf_map__reuse_fd(Map(map), existing.Fd), "reuse_map", map);

    /// <exception cref="BpfException">With the program, the instruction and the end of the verifier's log, when that is what refused.</exception>
    public void Load()
    {
        var errno = 0;
        var messages = LibbpfLog.Capture(() => errno = -Libbpf.bpf_object__load(_object));
        if (errno == 0)
            return;

        var rejection = VerifierRejection.Find(messages, Libbpf.Text(_kernelLog));
        throw rejection is null
            ? new BpfException("load", Name, errno, string.Join('\n', messages))
            : new BpfException("load", $"{Name}/{rejection.Program}", errno, rejection.Instruction.Length > 0
                ? $"verifier stopped at {rejection.Instruction}\n{rejection.Tail}"
                : rejection.Tail);
    }

    /// <summary>Whether the object defines a variable; the compiler leaves out what nothing uses.</summary>
    public bool HasVariable(string name) => _elf.TryGetSymbol(name, out _, out _, out _);

    public bool HasMap(string name) => _maps.ContainsKey(name);

    /// <summary>A loaded map, on a descriptor of its own.</summary>
    /// <exception cref="BpfException">No such map (ENOENT), or its key or value has another size (EINVAL).</exception>
    public BpfMap<TKey, TValue> OpenMap<TKey, TValue>(string name)
        where TKey : unmanaged
        where TValue : unmanaged => new(MapFacts.Duplicate(Libbpf.bpf_map__fd(Map(name)), name), name);

    /// <summary>A loaded map, on a descriptor of its own.</summary>
    public OwnedFd OpenMap(string name) => MapFacts.Duplicate(Libbpf.bpf_map__fd(Map(name)), name);

    /// <exception cref="BpfException">No such program (ENOENT).</exception>
    public BpfProgram Program(string name) =>
        _programs.TryGetValue(name, out var program) ? program : throw new BpfException("find_program", $"{Name}/{name}", Errno.ENOENT);

    public void Dispose()
    {
        if (_object != 0)
            Libbpf.bpf_object__close(_object);
        _object = 0;
        NativeMemory.Free(_kernelLog);
        _kernelLog = null;
        GC.SuppressFinalize(this);
    }

    private nint Map(string name) =>
        _maps.TryGetValue(name, out var map) ? map : throw new BpfException("find_map", $"{Name}.{name}", Errno.ENOENT);

    private void Check(int result, string call, string map)
    {
        if (result < 0)
            throw new BpfException(call, $"{Name}.{map}", -result);
    }
}

using System.Runtime.InteropServices;

namespace NodeMesh.Native.Bpf;

/// <summary>libbpf's own functions and the shim's (nm_*). Numbers are 0 or negative errno; pointers are null and set errno.</summary>
internal static unsafe partial class Libbpf
{
    private const string Library = "nmshim";

    [LibraryImport(Library)]
    internal static partial void nm_log_to(delegate* unmanaged<int, byte*, void> sink);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nm_object_open(void* bytes, nuint size, string name, byte* log, nuint logSize, nint* @object);

    [LibraryImport(Library)]
    internal static partial int bpf_object__load(nint @object);

    [LibraryImport(Library)]
    internal static partial void bpf_object__close(nint @object);

    [LibraryImport(Library)]
    internal static partial nint bpf_object__next_map(nint @object, nint previous);

    [LibraryImport(Library)]
    internal static partial nint bpf_object__next_program(nint @object, nint previous);

    [LibraryImport(Library)]
    internal static partial byte* bpf_map__name(nint map);

    [LibraryImport(Library)]
    internal static partial int bpf_map__fd(nint map);

    [LibraryImport(Library)]
    internal static partial int bpf_map__set_max_entries(nint map, uint entries);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bpf_map__set_pin_path(nint map, string path);

    [LibraryImport(Library)]
    internal static partial int bpf_map__reuse_fd(nint map, int fd);

    [LibraryImport(Library)]
    internal static partial byte* bpf_map__initial_value(nint map, nuint* size);

    [LibraryImport(Library)]
    internal static partial byte* bpf_program__name(nint program);

    [LibraryImport(Library)]
    internal static partial byte* bpf_program__section_name(nint program);

    [LibraryImport(Library)]
    internal static partial int bpf_program__fd(nint program);

    [LibraryImport(Library)]
    internal static partial int bpf_program__expected_attach_type(nint program);

    [LibraryImport(Library)]
    internal static partial int bpf_program__set_autoload(nint program, byte autoload);

    [LibraryImport(Library)]
    internal static partial int bpf_map_lookup_elem(int fd, void* key, void* value);

    [LibraryImport(Library)]
    internal static partial int bpf_map_update_elem(int fd, void* key, void* value, ulong flags);

    [LibraryImport(Library)]
    internal static partial int bpf_map_lookup_and_delete_elem(int fd, void* key, void* value);

    [LibraryImport(Library)]
    internal static partial int bpf_map_delete_elem(int fd, void* key);

    [LibraryImport(Library)]
    internal static partial int bpf_map_get_next_key(int fd, void* key, void* next);

    [LibraryImport(Library)]
    internal static partial int nm_map_batch_update(int fd, void* keys, void* values, uint* count);

    [LibraryImport(Library)]
    internal static partial int nm_map_batch_delete(int fd, void* keys, uint* count);

    [LibraryImport(Library)]
    internal static partial int nm_map_batch_lookup(int fd, void* cursorIn, void* cursorOut, void* keys, void* values, uint* count);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int nm_map_create(int type, string name, uint keySize, uint valueSize, uint maxEntries, uint flags);

    [LibraryImport(Library)]
    internal static partial int nm_map_facts(int fd, MapFacts.Raw* facts);

    [LibraryImport(Library)]
    internal static partial int nm_prog_facts(int fd, ProgramFacts.Raw* facts);

    [LibraryImport(Library)]
    internal static partial int nm_link_facts(int fd, LinkFacts.Raw* facts);

    [LibraryImport(Library)]
    internal static partial int nm_link_create(int programFd, int target, int attachType, uint flags);

    [LibraryImport(Library)]
    internal static partial int nm_link_update(int linkFd, int programFd);

    [LibraryImport(Library)]
    internal static partial int bpf_link_detach(int linkFd);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bpf_obj_pin(int fd, string path);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bpf_obj_get(string path);

    [LibraryImport(Library)]
    internal static partial int bpf_prog_get_fd_by_id(uint id);

    [LibraryImport(Library)]
    internal static partial int nm_prog_query(int target, int attachType, uint* programIds, uint* linkIds, uint* count);

    [LibraryImport(Library)]
    internal static partial int nm_prog_test_run(int fd, TestRunArguments* run);

    [LibraryImport(Library)]
    internal static partial int nm_ring_open(int mapFd, delegate* unmanaged<nint, byte*, nuint, int> sink, nint context, nint* ring);

    [LibraryImport(Library)]
    internal static partial int ring_buffer__epoll_fd(nint ring);

    [LibraryImport(Library)]
    internal static partial int ring_buffer__consume(nint ring);

    [LibraryImport(Library)]
    internal static partial void ring_buffer__free(nint ring);

    [LibraryImport(Library)]
    internal static partial int libbpf_num_possible_cpus();

    [LibraryImport(Library)]
    internal static partial int nm_prog_load_probe(int type, int attachType, void* instructions, uint count, byte* log, uint logSize);

    internal static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";
}

/// <summary>struct nm_test_run of the shim.</summary>
internal unsafe struct TestRunArguments
{
    public void* DataIn;
    public void* DataOut;
    public void* ContextIn;
    public void* ContextOut;
    public uint DataSizeIn;
    public uint DataSizeOut;
    public uint ContextSizeIn;
    public uint ContextSizeOut;
    public uint Repeat;
    public uint ReturnValue;
    public uint DurationNs;
    public uint Flags;
}

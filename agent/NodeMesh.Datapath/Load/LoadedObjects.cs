using NodeMesh.Datapath.Tables;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;
using NodeMesh.Native.Namespaces;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Load;

/// <summary>The objects in the kernel, on pinned maps: those of an earlier agent where there are any.</summary>
internal sealed class LoadedObjects : IDisposable
{
    private readonly Dictionary<string, BpfObject> _objects = [];
    private readonly Dictionary<string, BpfObject> _spares = [];
    private readonly BpfImages _images;
    private readonly DatapathOptions _options;
    private readonly PinTree _pins;

    private LoadedObjects(BpfImages images, DatapathOptions options, PinTree pins)
    {
        _images = images;
        _options = options;
        _pins = pins;
    }

    /// <summary>What was done about maps whose size option changed, for the log.</summary>
    public List<string> Notes { get; } = [];

    public BpfObject Connect => _objects["connect"];

    /// <exception cref="NodeFaultException">LayoutMismatch, ProgramRejected or NotPrivileged.</exception>
    public static LoadedObjects Load(BpfImages images, DatapathOptions options, PinTree pins)
    {
        foreach (var (name, bytes) in images.All)
            BpfImages.RequireSameLayout(name, bytes);

        var loaded = new LoadedObjects(images, options, pins);
        try
        {
            using var resized = MapResize.Prepare(options.Maps, pins, loaded.Notes);
            foreach (var (name, bytes) in images.All)
                loaded._objects.Add(name, loaded.LoadOne(name, bytes));
            resized.CopyRows();
            return loaded;
        }
        catch
        {
            loaded.Dispose();
            throw;
        }
    }

    public BpfProgram Program(string objectName, string program) => _objects[objectName].Program(program);

    /// <summary>The same program a second time, on the same maps: a hook refuses a program that it already has.</summary>
    public BpfProgram SpareProgram(string objectName, string program)
    {
        if (!_spares.TryGetValue(objectName, out var spare))
        {
            spare = LoadOne(objectName, _images.All.Single(i => i.Name == objectName).Bytes);
            _spares.Add(objectName, spare);
        }

        return spare.Program(program);
    }

    public BpfMap<TKey, TValue> OpenMap<TKey, TValue>(string name)
        where TKey : unmanaged
        where TValue : unmanaged => new(OpenMap(name), name);

    public OwnedFd OpenMap(string name) => _objects.Values.FirstOrDefault(o => o.HasMap(name)) is { } owner
        ? owner.OpenMap(name)
        : throw new BpfException("find_map", name, Errno.ENOENT);

    /// <summary>Tables that outlive the agent.</summary>
    public IEnumerable<string> PinnedMaps => MapCatalog.All.Select(m => m.Name).Where(name => _objects.Values.Any(o => o.HasMap(name)));

    public void Dispose()
    {
        foreach (var item in _objects.Values.Concat(_spares.Values))
            item.Dispose();
    }

    private BpfObject LoadOne(string name, ReadOnlyMemory<byte> bytes)
    {
        BpfObject? item = null;
        try
        {
            item = BpfObject.Open(bytes, name);
            if (item.HasVariable("nm_config"))
                item.SetConstant("nm_config", Configuration(_options));
            foreach (var spec in MapCatalog.All.Where(s => item.HasMap(s.Name)))
            {
                item.SetMaxEntries(spec.Name, spec.Size(_options.Maps));
                item.SetPinPath(spec.Name, _pins.Map(spec.Name));
            }

            item.Load();
            return item;
        }
        catch (Exception e)
        {
            item?.Dispose();
            if (e is not BpfException refused)
                throw;
            throw refused.Errno == Errno.EPERM
                ? new NodeFaultException(NodeFault.NotPrivileged, $"the kernel does not let this process load BPF programs ({refused.Message}). Cure: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON", e)
                : new NodeFaultException(NodeFault.ProgramRejected, $"BPF object {name} was refused: {refused.Message}", e);
        }
    }

    private static Config Configuration(DatapathOptions options) => new()
    {
        MarkShift = (uint)options.MarkShift,
        ProxyPortBe = Be16.FromHost(options.ProxyPort),
        TcpEstablishedS = (uint)options.Lifetimes.TcpEstablished.TotalSeconds,
        TcpOpeningS = (uint)options.Lifetimes.TcpOpening.TotalSeconds,
        TcpHalfClosedS = (uint)options.Lifetimes.TcpHalfClosed.TotalSeconds,
        TcpClosingS = (uint)options.Lifetimes.TcpClosing.TotalSeconds,
        UdpS = (uint)options.Lifetimes.Udp.TotalSeconds,
        UdpStreamS = (uint)options.Lifetimes.UdpStream.TotalSeconds,
        IcmpS = (uint)options.Lifetimes.Icmp.TotalSeconds,
        LocalRedirect = options.LocalRedirect ? 1u : 0u,
        NodeNetns = NetNamespace.CurrentCookie(),
        DenyResponse = (uint)(options.RejectDenied ? DenyResponse.Reject : DenyResponse.Drop),
        OpenBeforePlan = options.OpenBeforePlan ? 1u : 0u,
    };
}

using NodeMesh.Native.Bpf;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>The objects that `make -C bpf` built.</summary>
internal static class BpfFiles
{
    internal const int MarkShift = 8;
    internal const ushort ProxyPort = 15901;

    internal static readonly string[] Programs = ["connect", "endpoint", "node"];

    internal static string Repository { get; } = FindRepository();

    internal static IEnumerable<string> TestObjects =>
        Directory.EnumerateFiles(Path.Combine(Repository, "out", "bpf"), "*.test.bpf.o").Order(StringComparer.Ordinal);

    private static readonly Dictionary<(string Name, Config Config), BpfObject> s_borrowed = [];

    /// <summary>As freshly loaded, and not to be disposed of: the verifier takes its time, so what one test had serves the next, emptied.</summary>
    /// <param name="adjust">The configuration, where it is not that of most tests.</param>
    internal static BpfObject Borrow(string name, Func<Config, Config>? adjust = null)
    {
        var key = (name, adjust is null ? Configuration : adjust(Configuration));
        if (!s_borrowed.TryGetValue(key, out var known))
        {
            s_borrowed.Add(key, known = Load(name, adjust));
            return known;
        }

        foreach (var map in known.MapNames)
        {
            using var opened = known.OpenMap(map);
            MapContents.Clear(opened, map);
        }

        return known;
    }

    /// <param name="adjust">The configuration, where it is not that of most tests.</param>
    /// <param name="rows">Other sizes of its maps.</param>
    internal static BpfObject Load(string name, Func<Config, Config>? adjust = null, params (string Map, uint Rows)[] rows)
    {
        var path = Path.Combine(Repository, "out", "bpf", name + ".bpf.o");
        Assert.That(File.Exists(path), $"{path} is not built. Cure: make -C bpf");
        var loaded = BpfObject.Open(File.ReadAllBytes(path), name);
        loaded.SetConstant("nm_config", adjust is null ? Configuration : adjust(Configuration));
        foreach (var (map, most) in rows)
            loaded.SetMaxEntries(map, most);
        loaded.Load();
        return loaded;
    }

    // What policy refuses is dropped without a word.
    private static Config Configuration => new()
    {
        MarkShift = MarkShift,
        ProxyPortBe = Be16.FromHost(ProxyPort),
        TcpEstablishedS = 1000,
        TcpOpeningS = 60,
        TcpHalfClosedS = 100,
        TcpClosingS = 10,
        UdpS = 30,
        UdpStreamS = 120,
        IcmpS = 20,
        LocalRedirect = 1,
    };

    private static string FindRepository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "global.json")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException("not below the repository");
    }
}

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

    private static readonly Dictionary<string, BpfObject> s_borrowed = [];

    /// <summary>As freshly loaded, and not to be disposed of: the verifier takes its time, so what one test had serves the next, emptied.</summary>
    internal static BpfObject Borrow(string name)
    {
        if (!s_borrowed.TryGetValue(name, out var known))
        {
            s_borrowed.Add(name, known = Load(name));
            return known;
        }

        foreach (var map in known.MapNames)
        {
            using var opened = known.OpenMap(map);
            MapContents.Clear(opened, map);
        }

        return known;
    }

    /// <param name="rows">Other sizes of its maps.</param>
    internal static BpfObject Load(string name, params (string Map, uint Rows)[] rows)
    {
        var path = Path.Combine(Repository, "out", "bpf", name + ".bpf.o");
        Assert.That(File.Exists(path), $"{path} is not built. Cure: make -C bpf");
        var loaded = BpfObject.Open(File.ReadAllBytes(path), name);
        Configure(loaded);
        foreach (var (map, most) in rows)
            loaded.SetMaxEntries(map, most);
        loaded.Load();
        return loaded;
    }

    private static void Configure(BpfObject target)
    {
        target.SetConstant("nm_config", new Config
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
        });
    }

    private static string FindRepository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "global.json")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException("not below the repository");
    }
}

using NodeMesh.Datapath;

namespace NodeMesh.Bpf.Tests.Datapath;

/// <summary>The objects of this build.</summary>
internal static class Images
{
    public static BpfImages Built { get; } = new(Read("connect"), Read("endpoint"), Read("node"));

    private static byte[] Read(string name)
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            var path = Path.Combine(directory.FullName, "out", "bpf", $"{name}.bpf.o");
            if (File.Exists(path))
                return File.ReadAllBytes(path);
        }

        throw new FileNotFoundException($"out/bpf/{name}.bpf.o is not built. Cure: make -C bpf");
    }
}

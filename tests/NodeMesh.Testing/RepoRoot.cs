namespace NodeMesh.Testing;

/// <summary>Finds what the build made, from wherever the tests run.</summary>
public static class RepoRoot
{
    public static readonly string Path = Find();

    /// <summary>The published agent; <c>make build</c> makes it.</summary>
    public static string AgentBinary
    {
        get
        {
            var path = Environment.GetEnvironmentVariable("NODEMESH_AGENT") ?? System.IO.Path.Combine(Path, "out/agent/nodemesh");
            return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: run 'make build' first");
        }
    }

    private static string Find()
    {
        for (var dir = AppContext.BaseDirectory; dir is not null; dir = System.IO.Path.GetDirectoryName(dir))
            if (File.Exists(System.IO.Path.Combine(dir, "NodeMesh.sln")))
                return dir;
        throw new DirectoryNotFoundException("NodeMesh.sln is in no parent folder of " + AppContext.BaseDirectory);
    }
}

namespace NodeMesh.Unit.Tests.Agent;

/// <summary>The working tree that these tests were built from.</summary>
internal static class RepositoryRoot
{
    public static string Path { get; } = Find(TestContext.CurrentContext.TestDirectory);

    private static string Find(string from)
    {
        for (var directory = new DirectoryInfo(from); directory is not null; directory = directory.Parent)
            if (File.Exists(System.IO.Path.Combine(directory.FullName, "NodeMesh.sln")))
                return directory.FullName;
        throw new InvalidOperationException($"no NodeMesh.sln above {from}");
    }
}

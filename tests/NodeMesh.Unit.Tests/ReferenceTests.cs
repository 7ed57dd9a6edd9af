using System.Xml.Linq;
using NodeMesh.Unit.Tests.Agent;

namespace NodeMesh.Unit.Tests;

/// <summary>The one-way street: a reference that is not listed here and in ARCHITECTURE.md is a design error.</summary>
public sealed class ReferenceTests
{
    private static readonly Dictionary<string, string[]> s_allowed = new()
    {
        ["NodeMesh.Model"] = [],
        ["NodeMesh.Native"] = [],
        ["NodeMesh.AbiGen"] = ["NodeMesh.Native"],
        ["NodeMesh.Sources"] = ["NodeMesh.Model"],
        ["NodeMesh.Plan"] = ["NodeMesh.Model"],
        ["NodeMesh.Compiler"] = ["NodeMesh.Model", "NodeMesh.Plan"],
        ["NodeMesh.Datapath"] = ["NodeMesh.Plan", "NodeMesh.Native"],
        ["NodeMesh.Proxy"] = ["NodeMesh.Plan", "NodeMesh.Native"],
        ["NodeMesh.Flows"] = ["NodeMesh.Plan", "NodeMesh.Model", "NodeMesh.Datapath", "NodeMesh.Proxy"],
    };

    private static string Root => RepositoryRoot.Path;

    private static IEnumerable<string> Projects() =>
        new[] { "agent", "native" }.SelectMany(f => Directory.EnumerateFiles(Path.Combine(Root, f), "*.csproj", SearchOption.AllDirectories)).Order();

    [TestCaseSource(nameof(Projects))]
    public void A_project_refers_only_to_what_the_design_allows(string project)
    {
        var name = Path.GetFileNameWithoutExtension(project);
        var references = XDocument.Load(project).Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')));
        if (name == "NodeMesh.Agent")
            return;
        Assert.That(s_allowed, Does.ContainKey(name), $"{name} has no place in the design");
        Assert.That(references, Is.SubsetOf(s_allowed[name]), name);
    }

    [Test]
    public void Unsafe_code_is_allowed_in_native_only()
    {
        var unsafeProjects = Projects().Where(p => File.ReadAllText(p).Contains("<AllowUnsafeBlocks>true", StringComparison.OrdinalIgnoreCase)).Select(Path.GetFileNameWithoutExtension);
        Assert.That(unsafeProjects, Is.SubsetOf(["NodeMesh.Native"]));
    }

    [Test]
    public void No_source_file_is_longer_than_500_lines()
    {
        var files = new[] { "agent", "native", "bpf", "tests" }
            .SelectMany(f => Directory.EnumerateFiles(Path.Combine(Root, f), "*.*", SearchOption.AllDirectories))
            .Where(f => f.EndsWith(".cs", StringComparison.Ordinal) || f.EndsWith(".c", StringComparison.Ordinal) || f.EndsWith(".h", StringComparison.Ordinal))
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal) && !f.EndsWith(".g.cs", StringComparison.Ordinal));
        Assert.That(files.Where(f => File.ReadLines(f).Count() > 500), Is.Empty);
    }
}

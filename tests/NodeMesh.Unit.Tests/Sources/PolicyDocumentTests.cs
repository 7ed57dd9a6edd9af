using System.Text.RegularExpressions;
using NodeMesh.Sources;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class PolicyDocumentTests
{
    [Test]
    public void The_examples_in_the_document_are_without_fault()
    {
        using var stream = typeof(PolicyDocumentTests).Assembly.GetManifestResourceStream("docs/policies.md")!;
        using var reader = new StreamReader(stream);
        var examples = Regex.Matches(reader.ReadToEnd(), "```yaml\n(.*?)```", RegexOptions.Singleline).Select(m => m.Groups[1].Value).ToArray();
        var (mesh, diagnostics) = ManifestReader.Read([("n.yaml", Manifests.Namespaces), ("policies.md", string.Join("\n---\n", examples))]);
        Assert.That(diagnostics, Is.Empty);
        Assert.That(mesh.Policies, Has.Length.EqualTo(7));
    }
}

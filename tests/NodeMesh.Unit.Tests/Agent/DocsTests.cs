using NodeMesh.Agent.Commands;
using NodeMesh.Agent.Options;
using NodeMesh.Datapath;

namespace NodeMesh.Unit.Tests.Agent;

public class DocsTests
{
    private static IEnumerable<string> Names() => DocsCommand.Pages().Keys;

    [TestCaseSource(nameof(Names))]
    public void A_generated_page_is_what_the_binary_would_write(string name)
    {
        var path = Path.Combine(RepositoryRoot.Path, "docs", name);
        Assert.That(File.ReadAllText(path), Is.EqualTo(DocsCommand.Pages()[name]), "stale: write it with `out/agent/nodemesh docs docs`");
    }

    [Test]
    public void Every_option_has_a_variable_of_its_own()
    {
        Assert.That(OptionTable.All.Select(o => o.Environment), Is.Unique);
        Assert.That(OptionTable.All.Select(o => o.Name), Is.Unique);
        Assert.That(OptionTable.All.All(o => o.Name.StartsWith("--", StringComparison.Ordinal) && o.Help.Length > 0 && !o.Help.EndsWith('.')));
    }

    [Test]
    public void Every_default_is_a_value_that_can_be() =>
        Assert.That(OptionTable.All.Where(o => o.Default.Length > 0).Select(o => o.Check(o.Default)), Is.All.Null);

    [Test]
    public void Each_table_size_sets_the_table_that_it_names()
    {
        var standard = new MapSizes();
        foreach (var table in MapTables.All)
        {
            var larger = table.With(standard, 17);
            Assert.That(MapTables.All.Where(t => t.Size(larger) != t.Size(standard)), Is.EqualTo(new[] { table }));
            Assert.That(table.Size(larger), Is.EqualTo(17));
        }
    }
}

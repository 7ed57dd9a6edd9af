using NodeMesh.Agent.Commands;
using NodeMesh.Agent.Options;
using NodeMesh.Datapath.Tables;

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
    public void Table_sizes_are_those_of_the_kernel_tables()
    {
        var wanted = MapCatalog.All.Where(m => m.Option.Length > 0).Select(m => (m.Option, m.RowBytes, m.Preallocated));
        Assert.That(MapTables.All.Select(t => (t.Name, t.RowBytes, t.WhenLoaded)), Is.EquivalentTo(wanted));
    }
}

using NodeMesh.Datapath.Attach;

namespace NodeMesh.Unit.Tests.Datapath;

public sealed class ExpeditedRcuTests
{
    private string _run = null!;
    private string _switch = null!;

    [SetUp]
    public void SetUp()
    {
        _run = Directory.CreateTempSubdirectory("nm-rcu-").FullName;
        _switch = Path.Combine(_run, "switch");
        File.WriteAllText(_switch, "0\n");
    }

    [TearDown]
    public void TearDown() => Directory.Delete(_run, recursive: true);

    [Test]
    public void It_is_on_while_it_lives_and_a_note_says_by_whom()
    {
        using (var rcu = ExpeditedRcu.Begin(_run, _switch))
        {
            Assert.That(rcu, Is.Not.Null);
            Assert.That(File.ReadAllText(_switch), Is.EqualTo("1"));
            Assert.That(Notes(), Is.EqualTo(1));
        }

        Assert.That(File.ReadAllText(_switch), Is.EqualTo("0"));
        Assert.That(Notes(), Is.Zero);
    }

    [Test]
    public void What_somebody_else_has_switched_on_stays_on()
    {
        File.WriteAllText(_switch, "1\n");
        using (var rcu = ExpeditedRcu.Begin(_run, _switch))
            Assert.That(rcu, Is.Null);
        Assert.That(ExpeditedRcu.Restore(_run, _switch), Is.False);
        Assert.That(File.ReadAllText(_switch), Is.EqualTo("1\n"));
    }

    [Test]
    public void What_a_killed_agent_left_on_is_put_back()
    {
        _ = ExpeditedRcu.Begin(_run, _switch);
        Assert.That(ExpeditedRcu.Restore(_run, _switch), Is.True);
        Assert.That(File.ReadAllText(_switch), Is.EqualTo("0"));
        Assert.That(ExpeditedRcu.Restore(_run, _switch), Is.False, "once");
    }

    [TestCase("nowhere/switch", "")]
    [TestCase("switch", "nowhere")]
    public void Without_the_switch_or_a_place_for_the_note_nothing_is_switched(string kernelSwitch, string run)
    {
        Assert.That(ExpeditedRcu.Begin(Path.Combine(_run, run), Path.Combine(_run, kernelSwitch)), Is.Null);
        Assert.That(File.ReadAllText(_switch), Is.EqualTo("0\n"));
        Assert.That(Notes(), Is.Zero);
    }

    private int Notes() => Directory.GetFiles(_run).Length - 1;
}

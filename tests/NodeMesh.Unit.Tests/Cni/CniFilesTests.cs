using System.Text.Json;
using NodeMesh.Agent.Cni;
using NodeMesh.Agent.Options;

namespace NodeMesh.Unit.Tests.Cni;

/// <summary>The plugin's files in a made pair of folders.</summary>
public sealed class CniFilesTests
{
    private const string List = """{ "cniVersion": "1.0.0", "name": "n", "plugins": [ { "type": "ptp" } ] }""";

    private string _root = "";

    private CniGateOptions Options => new(CniGateMode.FailClosed, Path.Combine(_root, "bin"), Path.Combine(_root, "net.d"), TimeSpan.FromSeconds(30));

    private string Binary => Path.Combine(_root, "binary");

    private string Executable => Path.Combine(Options.BinDir, CniPlugin.Type);

    [SetUp]
    public void MakeFolders()
    {
        _root = Directory.CreateTempSubdirectory("nodemesh-cni").FullName;
        Directory.CreateDirectory(Options.ConfDir);
        File.WriteAllText(Binary, "one");
    }

    [TearDown]
    public void RemoveFolders() => Directory.Delete(_root, recursive: true);

    [Test]
    public void Both_are_put_there_once_and_taken_away_as_if_they_had_not_been()
    {
        var path = Write("10-n.conflist", List);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.That(Ensure(), Has.Count.EqualTo(2));
        Assert.That(Ensure(), Is.Empty);
        Assert.That(File.ReadAllText(path), Does.Contain("fail-closed").And.Contain(CniPlugin.Type));
        Assert.That(File.GetUnixFileMode(path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Assert.That(File.GetUnixFileMode(Executable).HasFlag(UnixFileMode.OtherExecute));

        Assert.That(CniFiles.Remove(Options.BinDir, Options.ConfDir), Has.Count.EqualTo(2));
        Assert.That(File.ReadAllText(path), Is.EqualTo(List));
        Assert.That(Directory.GetFileSystemEntries(Options.BinDir), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(Options.ConfDir), Is.EqualTo(new[] { path }));
        Assert.That(CniFiles.Remove(Options.BinDir, Options.ConfDir), Is.Empty);
    }

    [Test]
    public void A_list_that_its_owner_writes_anew_gets_it_again_and_so_does_one_that_comes_first()
    {
        var path = Write("10-n.conflist", List);
        Ensure();
        Write("10-n.conflist", List.Replace("ptp", "bridge", StringComparison.Ordinal));
        Assert.That(Ensure(), Has.Count.EqualTo(1));
        Assert.That(File.ReadAllText(path), Does.Contain("bridge").And.Contain(CniPlugin.Type));
        var first = Write("05-other.conflist", List);
        Assert.That(Ensure(), Has.Count.EqualTo(1));
        Assert.That(File.ReadAllText(first), Does.Contain(CniPlugin.Type));
        Assert.That(CniFiles.Remove(Options.BinDir, Options.ConfDir), Has.Count.EqualTo(3));
        Assert.That(File.ReadAllText(first), Is.EqualTo(List));
    }

    [Test]
    public void An_executable_of_another_version_is_replaced()
    {
        Write("10-n.conflist", List);
        Ensure();
        File.WriteAllText(Binary, "two");
        Assert.That(Ensure(), Has.Count.EqualTo(1));
        Assert.That(File.ReadAllText(Executable), Is.EqualTo("two"));
    }

    [Test]
    public void A_link_stays_one()
    {
        var real = Path.Combine(_root, "real.conflist");
        File.WriteAllText(real, List);
        File.CreateSymbolicLink(Path.Combine(Options.ConfDir, "10-n.conflist"), real);
        Ensure();
        Assert.That(File.ReadAllText(real), Does.Contain(CniPlugin.Type));
        Assert.That(File.ResolveLinkTarget(Path.Combine(Options.ConfDir, "10-n.conflist"), true)!.FullName, Is.EqualTo(real));
    }

    [Test]
    public void What_cannot_be_is_said()
    {
        Assert.That(Ensure, Throws.TypeOf<IOException>().With.Message.Contains("no CNI configuration"));
        Write("README", List);
        Assert.That(Ensure, Throws.TypeOf<IOException>().With.Message.Contains("no CNI configuration"));
        Write("10-n.conf", """{ "cniVersion": "0.1.0", "name": "n", "type": "ptp" }""");
        Assert.That(Ensure, Throws.TypeOf<IOException>().With.Message.Contains("cniVersion"));
        Write("10-n.conf", """{ "cniVersion": "1.0.0" }""");
        Assert.That(Ensure, Throws.TypeOf<IOException>().With.Message.Contains("neither a list nor"));
    }

    [Test]
    public void A_single_plugins_file_is_left_alone_and_a_list_of_both_comes_before_it()
    {
        var single = Write("00-n.conf", """{ "cniVersion": "1.0.0", "name": "n", "type": "ptp", "mtu": 1400 }""");
        File.SetUnixFileMode(single, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.That(Ensure(), Has.Count.EqualTo(2));
        Assert.That(Ensure(), Is.Empty);
        Assert.That(Directory.GetFiles(Options.ConfDir).Select(Path.GetFileName).Order(StringComparer.Ordinal), Is.EqualTo(new[] { "0-nodemesh-cni.conflist", "00-n.conf" }));
        var own = Path.Combine(Options.ConfDir, "0-nodemesh-cni.conflist");
        Assert.That(File.GetUnixFileMode(own), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        using (var list = JsonDocument.Parse(File.ReadAllText(own)))
        {
            Assert.That(list.RootElement.GetProperty("name").GetString(), Is.EqualTo("n"));
            Assert.That(list.RootElement.GetProperty("plugins").EnumerateArray().Select(p => p.GetProperty("type").GetString()), Is.EqualTo(new[] { "ptp", CniPlugin.Type }));
            Assert.That(list.RootElement.GetProperty("plugins")[0].GetProperty("mtu").GetInt32(), Is.EqualTo(1400));
        }

        Write("00-n.conf", """{ "cniVersion": "1.0.0", "name": "n", "type": "bridge" }""");
        Assert.That(Ensure(), Has.Count.EqualTo(1));
        Assert.That(File.ReadAllText(own), Does.Contain("bridge"));
        File.Delete(single);
        Write("00-n.conflist", List);
        Assert.That(Ensure(), Has.Count.EqualTo(2), "its owner made a list of it");
        Assert.That(File.Exists(own), Is.False);
        Write("00-a.conf", """{ "cniVersion": "1.0.0", "name": "n", "type": "bridge" }""");
        Ensure();
        CniFiles.Remove(Options.BinDir, Options.ConfDir);
        Assert.That(Directory.GetFiles(Options.ConfDir).Select(Path.GetFileName), Is.EquivalentTo(new[] { "00-a.conf", "00-n.conflist" }));
        Assert.That(File.ReadAllText(Path.Combine(Options.ConfDir, "00-n.conflist")), Is.EqualTo(List));
    }

    private IReadOnlyList<string> Ensure() => CniFiles.Ensure(Options, "/run/nodemesh", Binary);

    private string Write(string name, string text)
    {
        var path = Path.Combine(Options.ConfDir, name);
        File.WriteAllText(path, text);
        return path;
    }
}

using System.Diagnostics;
using System.Globalization;
using NodeMesh.ApiServer.Tests.Clusters;
using NodeMesh.Testing;

namespace NodeMesh.ApiServer.Tests;

/// <summary>How the programs of a real cluster are started and ended, with others in their place.</summary>
internal sealed class ControlPlaneTests
{
    private static readonly string s_project = Path.Combine(RepoRoot.Path, "tests/NodeMesh.ApiServer.Tests");
    private static readonly string s_standIn = Path.Combine(s_project, "stand-in");

    private static bool IsAlive(int pid) => File.Exists($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/status")
        && !File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/status").Contains("State:\tZ", StringComparison.Ordinal);

    [Test]
    public void Programs_are_started_waited_for_killed_started_again_and_ended()
    {
        IReadOnlyList<int> pids;
        string folder;
        using (var plane = new ControlPlane(s_standIn, s_standIn))
        {
            folder = plane.Folder;
            plane.Kill();
            plane.StartAgain();
            pids = plane.Pids;
            Assert.That(pids.Select(IsAlive), Has.All.True);
            Assert.That(plane.Log, Does.Contain("serving"));
        }

        Assert.That(pids.Select(IsAlive), Has.All.False);
        Assert.That(Directory.Exists(folder), Is.False);
    }

    [Test]
    public void A_program_that_ends_is_told_at_once_with_what_it_said()
    {
        var e = Assert.Throws<InvalidOperationException>(() => _ = new ControlPlane("/bin/false", s_standIn));
        Assert.That(e!.Message, Does.StartWith("kube-apiserver ended with exit code 1"));
        e = Assert.Throws<InvalidOperationException>(() => _ = new ControlPlane(s_standIn, "/bin/ls"));
        Assert.That(e!.Message, Does.StartWith("etcd ended with exit code 2").And.Contains("--name=default"));
    }

    [Test]
    public void What_dies_takes_its_programs_along()
    {
        var folder = Directory.CreateTempSubdirectory("nmapi-").FullName;
        using var program = ChildProcess.Start("sleep", ["600"]);

        // The end of the pipe is all that it sees of our death.
        using (var will = new LastWill(folder))
            will.Remember("program", program.Pid);
        Assert.That(program.WaitForExit(TimeSpan.FromSeconds(30)));
        Assert.That(Directory.Exists(folder), Is.False);
    }

    [TestCase(null, "/bin/true", "KUBE_APISERVER is not set")]
    [TestCase("/bin/true", null, "ETCD is not set")]
    [TestCase("/no/such", "/bin/true", "KUBE_APISERVER is '/no/such', which is no program")]
    [TestCase("/bin/true", "/etc/passwd", "ETCD is '/etc/passwd', which is no program")]
    [TestCase("/bin/true", "/etc", "ETCD is '/etc', which is no program")]
    public void Without_programs_there_is_one_message(string? apiServer, string? etcd, string message)
    {
        var info = new ProcessStartInfo(Path.Combine(s_project, "run"), ["Release"]) { RedirectStandardError = true, RedirectStandardOutput = true };
        info.Environment["KUBE_APISERVER"] = apiServer;
        info.Environment["ETCD"] = etcd;
        using var run = Process.Start(info)!;
        var said = run.StandardError.ReadToEnd();
        Assert.That(run.WaitForExit(TimeSpan.FromSeconds(60)));
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(said, Does.StartWith($"test-apiserver: {message}; say make test-apiserver"));
        Assert.That(said.Count(c => c == '\n'), Is.EqualTo(1));
    }
}

using NodeMesh.Agent;
using NodeMesh.Agent.Commands;
using NodeMesh.Agent.Options;

namespace NodeMesh.Unit.Tests.Agent;

/// <summary>What deploy/nodemesh.service says of the agent is so.</summary>
public sealed class ServiceUnitTests
{
    private static readonly string[] Lines = File.ReadAllLines(Path.Combine(RepositoryRoot.Path, "deploy", "nodemesh.service"));

    private static IEnumerable<string> Values(string key) =>
        Lines.Where(l => l.StartsWith(key + "=", StringComparison.Ordinal)).Select(l => l[(key.Length + 1)..]);

    [Test]
    public void It_starts_a_verb_with_options_that_there_are()
    {
        var command = Values("ExecStart").Single().Split(' ');
        Assert.That(command[0], Is.EqualTo("/usr/local/bin/nodemesh"));
        Assert.That(CommandTree.Build().Parse(command[1..]).Errors, Is.Empty);
    }

    [Test]
    public void Exit_codes_that_stop_it_are_those_that_a_restart_cannot_mend()
    {
        var codes = Values("RestartPreventExitStatus").Single().Split(' ').Select(int.Parse).Select(c => (ExitCode)c);
        Assert.That(codes, Is.EqualTo(new[]
        {
            ExitCode.Usage, ExitCode.NotPrivileged, ExitCode.KernelUnsupported, ExitCode.NoBpffs, ExitCode.NoCgroup2, ExitCode.SecondAgent, ExitCode.BadOptions,
            ExitCode.BpfRejected, ExitCode.NoOpenSsl,
        }));
    }

    [Test]
    public void It_waits_longer_for_the_end_than_the_agent_does()
    {
        var drain = OptionTable.All.Single(o => o.Name == "--drain-timeout").Default;
        Assert.That(drain, Does.EndWith("s"));
        Assert.That(int.Parse(Values("TimeoutStopSec").Single()), Is.GreaterThan(int.Parse(drain[..^1])));
    }

    [Test]
    public void Its_runtime_directory_is_the_default_of_run_dir() =>
        Assert.That("/run/" + Values("RuntimeDirectory").Single(), Is.EqualTo(OptionTable.All.Single(o => o.Name == "--run-dir").Default));
}

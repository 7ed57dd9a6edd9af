namespace NodeMesh.Testing;

/// <summary>Where an agent runs and what it has to itself there.</summary>
internal sealed record AgentPlace(Netns Node, string NodeName, string Cgroup, string RunDir, string Bpffs);

/// <summary>The published agent, running in the namespace of a node.</summary>
public sealed class AgentProcess : IDisposable
{
    private readonly AgentPlace _place;
    private readonly ChildProcess _process;

    /// <param name="source">Options that say where the objects come from.</param>
    /// <param name="before">A command that becomes the agent's, with the agent's own as its arguments.</param>
    internal AgentProcess(AgentPlace place, IEnumerable<string> source, IEnumerable<string> before, IEnumerable<string> more)
    {
        _place = place;
        _process = new ChildProcess(NodeBox.Enter(place.Cgroup, place.Node.Name,
        [
            .. before, RepoRoot.AgentBinary, "agent", .. source, "--node-name", place.NodeName, "--run-dir", place.RunDir, "--bpffs", place.Bpffs,
            "--cgroup", place.Cgroup, .. more,
        ]));
    }

    public int Pid => _process.Pid;

    public string Log => _process.Output;

    /// <inheritdoc cref="ChildProcess.OutputLength"/>
    public int LogLength => _process.OutputLength;

    /// <inheritdoc cref="ChildProcess.OutputSince"/>
    public string LogSince(int length) => _process.OutputSince(length);

    public TimeSpan Cpu => _process.Cpu;

    /// <summary>Resident memory in bytes, from /proc.</summary>
    public long ResidentBytes => ReadKiB("status", "VmRSS") * 1024;

    /// <summary>Memory that no other process has a share in, in bytes.</summary>
    public long PrivateBytes => (ReadKiB("smaps_rollup", "Private_Clean") + ReadKiB("smaps_rollup", "Private_Dirty")) * 1024;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>Waits until /readyz says so.</summary>
    public AgentProcess MustBeReady()
    {
        Eventually.True(() => _process.HasExited || _place.Node.Curl("http://127.0.0.1:9464/readyz").Status == 200, $"the agent is ready; its log:\n{Log}");
        MustRun();
        return this;
    }

    /// <summary>A verb of the CLI against this agent.</summary>
    public CommandResult Cli(params string[] arguments)
    {
        MustRun();
        return _place.Node.Run([RepoRoot.AgentBinary, .. arguments, "--run-dir", _place.RunDir]);
    }

    public string Metrics()
    {
        MustRun();
        return _place.Node.Curl("http://127.0.0.1:9464/metrics").Body;
    }

    /// <summary>The value of the first series whose name and labels start so; 0 when it is not there.</summary>
    public double Metric(string startsWith)
    {
        double sum = 0;
        foreach (var line in Metrics().Split('\n'))
            if (line.StartsWith(startsWith, StringComparison.Ordinal))
                sum += double.Parse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture);
        return sum;
    }

    public void Kill() => _process.Kill();

    /// <summary>SIGKILL this very moment.</summary>
    public void KillAtOnce() => _process.KillAtOnce();

    public bool Terminate(TimeSpan timeout) => _process.Terminate(timeout);

    public bool WaitForExit(TimeSpan timeout) => _process.WaitForExit(timeout);

    public void Dispose() => _process.Dispose();

    /// <summary>What a dead agent does not say would pass for what it does not know.</summary>
    private void MustRun()
    {
        if (_process.HasExited)
            throw new InvalidOperationException($"the agent ended with {_process.ExitCode}:\n{Log}");
    }

    private long ReadKiB(string file, string field)
    {
        foreach (var line in File.ReadLines($"/proc/{Pid}/{file}"))
            if (line.StartsWith(field, StringComparison.Ordinal))
                return long.Parse(line.AsSpan(field.Length + 1).Trim().ToString().Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        return 0;
    }
}

namespace NodeMesh.Testing;

/// <summary>The published agent, running in a box's node namespace.</summary>
public sealed class AgentProcess : IDisposable
{
    private readonly NodeBox _box;
    private readonly ChildProcess _process;

    /// <param name="before">A command that becomes the agent's, with the agent's own as its arguments.</param>
    internal AgentProcess(NodeBox box, IEnumerable<string> before, IEnumerable<string> more)
    {
        _box = box;
        _process = new ChildProcess(NodeBox.Enter(box.Cgroup, box.Node.Name,
        [
            .. before, RepoRoot.AgentBinary, "agent", "--config-dir", box.ConfigDir, "--node-name", NodeBox.NodeName, "--run-dir", box.RunDir, "--bpffs", box.Bpffs,
            "--cgroup", box.Cgroup, "--metrics-address", "127.0.0.1:9464", .. more,
        ]));
    }

    public int Pid => _process.Pid;

    public string Log => _process.Output;

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
        Eventually.True(() => _process.HasExited || _box.Node.Curl("http://127.0.0.1:9464/readyz").Status == 200, $"the agent is ready; its log:\n{Log}", TimeSpan.FromSeconds(20));
        return _process.HasExited ? throw new InvalidOperationException($"the agent ended with {_process.ExitCode}:\n{Log}") : this;
    }

    /// <summary>A verb of the CLI against this agent.</summary>
    public CommandResult Cli(params string[] arguments) =>
        _box.Node.Run([RepoRoot.AgentBinary, .. arguments, "--run-dir", _box.RunDir]);

    public string Metrics() => _box.Node.Curl("http://127.0.0.1:9464/metrics").Body;

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

    public bool Terminate(TimeSpan timeout) => _process.Terminate(timeout);

    public bool WaitForExit(TimeSpan timeout) => _process.WaitForExit(timeout);

    public void Dispose() => _process.Dispose();

    private long ReadKiB(string file, string field)
    {
        foreach (var line in File.ReadLines($"/proc/{Pid}/{file}"))
            if (line.StartsWith(field, StringComparison.Ordinal))
                return long.Parse(line.AsSpan(field.Length + 1).Trim().ToString().Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        return 0;
    }
}

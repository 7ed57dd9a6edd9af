using System.Diagnostics;

namespace NodeMesh.Testing;

/// <summary>A shell in a session of its own that waits for our end of a pipe to close, by Dispose or by death, and then cleans up.</summary>
public sealed class Watchdog : IDisposable
{
    private readonly Process _shell;

    /// <param name="cleanUp">Shell, with <paramref name="arguments"/> from $0 on.</param>
    public Watchdog(string cleanUp, params string[] arguments) =>
        _shell = Process.Start(new ProcessStartInfo("setsid", ["/bin/sh", "-c", $"trap '' INT TERM HUP\ncat > /dev/null\n{cleanUp}", .. arguments]) { RedirectStandardInput = true })
            ?? throw new InvalidOperationException("setsid did not start");

    /// <summary>Of a box: its processes, pins, namespaces, cgroups and files.</summary>
    internal static Watchdog OfBox(string prefix, string[] cgroups, string bpffs, string workDir)
    {
        var roots = string.Join(' ', cgroups);
        // Again until none is left, since a process may be starting another while we look and one in the kernel ends when it leaves that.
        return new Watchdog($$"""
            for round in $(seq 600); do
              pids=$(find {{roots}} -name cgroup.procs -exec cat {} + 2> /dev/null)
              [ "$pids" ] || break
              kill -KILL $pids 2> /dev/null
              sleep 0.05
            done
            rm -rf {{bpffs}}
            for ns in $(ip netns list | cut -d' ' -f1 | grep '^{{prefix}}-'); do ip netns del $ns; done
            for cgroup in {{roots}}; do
              for try in $(seq 100); do find $cgroup -depth -type d -exec rmdir {} + 2> /dev/null; [ -d $cgroup ] || break; sleep 0.1; done
            done
            rm -rf {{workDir}}
            """);
    }

    public void Dispose()
    {
        _shell.StandardInput.Close();
        if (!_shell.WaitForExit(TimeSpan.FromSeconds(60)))
            throw new TimeoutException("the clean-up did not end");
        _shell.Dispose();
    }
}

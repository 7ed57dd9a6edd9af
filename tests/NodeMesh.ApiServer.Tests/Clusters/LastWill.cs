using System.Diagnostics;
using System.Globalization;

namespace NodeMesh.ApiServer.Tests.Clusters;

/// <summary>A shell in a session of its own that waits for our end of a pipe to close, by Dispose or by death: what still runs then is ended, by pid, and the folder goes.</summary>
internal sealed class LastWill : IDisposable
{
    private readonly string _folder;
    private readonly Process _shell;

    /// <param name="folder">In which the pids are kept, too.</param>
    public LastWill(string folder)
    {
        _folder = folder;
        const string script = """
            trap '' INT TERM HUP
            cat > /dev/null
            for pid in $(cat "$0"/*.pid 2> /dev/null); do kill -TERM "$pid" 2> /dev/null; done
            for round in $(seq 100); do
              alive=
              for pid in $(cat "$0"/*.pid 2> /dev/null); do grep -qs '^State:[[:space:]]*[^Z]' "/proc/$pid/status" && alive=1; done
              [ "$alive" ] || break
              sleep 0.1
            done
            for pid in $(cat "$0"/*.pid 2> /dev/null); do kill -KILL "$pid" 2> /dev/null; done
            rm -rf "$0"
            """;
        _shell = Process.Start(new ProcessStartInfo("setsid", ["/bin/sh", "-c", script, folder]) { RedirectStandardInput = true }) ?? throw new InvalidOperationException("setsid did not start");
    }

    public void Remember(string name, int pid) => File.WriteAllText(Path.Combine(_folder, $"{name}.pid"), pid.ToString(CultureInfo.InvariantCulture) + "\n");

    public void Forget(string name) => File.Delete(Path.Combine(_folder, $"{name}.pid"));

    public void Dispose()
    {
        _shell.StandardInput.Close();
        if (!_shell.WaitForExit(TimeSpan.FromSeconds(60)))
            throw new TimeoutException("the clean-up did not end");
        _shell.Dispose();
    }
}

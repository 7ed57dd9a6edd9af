using System.Globalization;
using NodeMesh.Testing;

namespace NodeMesh.ApiServer.Tests.Clusters;

/// <summary>When this goes, by Dispose or by our death, what still runs is ended, by pid, and the folder goes.</summary>
internal sealed class LastWill : IDisposable
{
    private readonly string _folder;
    private readonly Watchdog _watchdog;

    /// <param name="folder">In which the pids are kept, too.</param>
    public LastWill(string folder)
    {
        _folder = folder;
        const string script = """
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
        _watchdog = new Watchdog(script, folder);
    }

    public void Remember(string name, int pid) => File.WriteAllText(Path.Combine(_folder, $"{name}.pid"), pid.ToString(CultureInfo.InvariantCulture) + "\n");

    public void Forget(string name) => File.Delete(Path.Combine(_folder, $"{name}.pid"));

    public void Dispose() => _watchdog.Dispose();
}

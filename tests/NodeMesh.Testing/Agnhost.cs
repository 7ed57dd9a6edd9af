using System.Collections.Concurrent;
using System.Globalization;

namespace NodeMesh.Testing;

/// <summary>A program in a pod, or elsewhere, that says its name on ports and asks others for theirs; see agnhost.py.</summary>
public sealed class Agnhost : IDisposable
{
    private const int PatientSeconds = 30, BriefSeconds = 3;

    private readonly ChildProcess _process;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<string>> _asked = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _last;

    private Agnhost(string cgroup, string netns, string name, IEnumerable<string> ports) =>
        _process = new ChildProcess(NodeBox.Enter(cgroup, netns, ["/usr/bin/python3", Path.Combine(AppContext.BaseDirectory, "agnhost.py"), name, .. ports]), Hear);

    /// <summary>As a container of the pod. Returns when it listens.</summary>
    /// <param name="ports">"tcp:80", "udp:81", "udp:81@192.0.2.1" at one address.</param>
    public static Agnhost StartIn(PodBox pod, params IEnumerable<string> ports) => Start(pod.MakeContainer("agnhost"), pod.Netns.Name, pod.Name, ports);

    /// <summary>As a pod on the node's network: in the box's cgroup, as everything of the node.</summary>
    public static Agnhost StartOn(NodeBox box, string name, params IEnumerable<string> ports) => Start(box.Cgroup, box.Node.Name, name, ports);

    /// <summary>Beyond the node.</summary>
    public static Agnhost StartOutside(NodeBox box) => Start(box.UnhookedCgroup, box.Outside.Name, "outside", []);

    private static Agnhost Start(string cgroup, string netns, string name, IEnumerable<string> ports)
    {
        var agnhost = new Agnhost(cgroup, netns, name, ports);
        Eventually.True(() => agnhost._process.HasExited || agnhost._ready.Task.IsCompleted, $"{name} listens");
        return agnhost._ready.Task.IsCompleted ? agnhost : throw new InvalidOperationException($"{name} ended:\n{agnhost._process.Output}");
    }

    /// <summary>One question from a new socket.</summary>
    /// <param name="protocol">"tcp", "udp", "bigudp" for a datagram in fragments, or "sctp" (IPv4).</param>
    /// <param name="sourcePort">0: any.</param>
    /// <param name="isBrief">Waits no longer than an answer takes at most on a machine that is not overloaded: for what may not be answered, or is asked again.</param>
    /// <returns>"NAME as ADDRESS": who answered and which address it saw; REFUSED; RESET; DENIED (by an error that is neither); TIMEOUT; or an error's name.</returns>
    public async Task<string> AskAsync(string protocol, string address, int port, int sourcePort = 0, bool isBrief = false)
    {
        var number = Interlocked.Increment(ref _last);
        var answer = _asked[number] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _process.Write(string.Create(CultureInfo.InvariantCulture, $"{number} {protocol} {address} {port} {(isBrief ? BriefSeconds : PatientSeconds)} {sourcePort}"));
        return await answer.Task.WaitAsync(TimeSpan.FromSeconds(60)).ConfigureAwait(false);
    }

    /// <inheritdoc cref="AskAsync"/>
    public string Ask(string protocol, string address, int port, int sourcePort = 0, bool isBrief = false) =>
        AskAsync(protocol, address, port, sourcePort, isBrief).GetAwaiter().GetResult();

    public void Dispose() => _process.Dispose();

    private void Hear(string line)
    {
        if (line == "ready")
            _ready.TrySetResult();
        else if (line.Split(' ', 2) is [var number, var said] && int.TryParse(number, CultureInfo.InvariantCulture, out var n) && _asked.TryRemove(n, out var asked))
            asked.SetResult(said);
    }
}

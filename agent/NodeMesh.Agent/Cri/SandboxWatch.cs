using Grpc.Core;
using Microsoft.Extensions.Logging;
using NodeMesh.Native;
using NodeMesh.Native.Netlink;
using NodeMesh.Sources;

namespace NodeMesh.Agent.Cri;

/// <param name="Name">As it calls itself; empty before its first answer.</param>
/// <param name="Problem">Why it does not answer; empty while it does.</param>
/// <param name="Sandboxes">Of pods with a network of their own.</param>
internal sealed record RuntimeState(string Socket, string Name, string Problem, int Sandboxes);

/// <summary>
/// Follows which sandboxes the container runtime has: each is told as the CNI gate would tell it. Asked whenever an interface of the node comes or goes, and now and
/// then. While the runtime does not answer, pods are found as without it.
/// </summary>
internal sealed class SandboxWatch : IDisposable
{
    // After a notice: the runtime lists a sandbox once its network is made and its first process runs.
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_soonFor = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(5);

    // Longer than a runtime takes to start again; pods may come and go meanwhile of which it cannot tell.
    private static readonly TimeSpan s_trust = TimeSpan.FromSeconds(15);

    private readonly string _socket;
    private readonly ContainerRuntime _runtime;
    private readonly SandboxTable _sandboxes;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly LinkWatch _links = new();
    private readonly PollWaker _waker = new();
    private readonly Thread _thread;

    // Listed at the last look, and whether it is told of, by us or by the CNI gate; others have no network of their own.
    private readonly Dictionary<string, bool> _known = new(StringComparer.Ordinal);
    private RuntimeState _state;
    private long _answered;
    private volatile bool _stopping;

    /// <param name="time">Null: the system's clock.</param>
    public SandboxWatch(string socket, SandboxTable sandboxes, ILogger log, TimeProvider? time = null)
    {
        (_socket, _sandboxes, _log, _time) = (socket, sandboxes, log, time ?? TimeProvider.System);
        _runtime = new ContainerRuntime(socket);
        _state = new RuntimeState(socket, "", "it was not asked yet", 0);
        _answered = _time.GetTimestamp();
        _thread = new Thread(Run) { IsBackground = true, Name = "cri" };
    }

    public RuntimeState State => Volatile.Read(ref _state);

    public void Start() => _thread.Start();

    public void Dispose()
    {
        _stopping = true;
        _runtime.Cancel();
        _waker.Wake();
        if (_thread.IsAlive)
            _thread.Join();
        _runtime.Dispose();
        _links.Dispose();
        _waker.Dispose();
    }

    private void Run()
    {
        var noticed = _time.GetTimestamp();
        while (!_stopping)
        {
            var answers = Look();
            var soon = answers && _time.GetElapsedTime(noticed) < s_soonFor;
            if (_waker.Wait(_links.Fd, soon ? s_soon : s_look))
                noticed = _time.GetTimestamp();
            try
            {
                _links.Drain();
            }
            catch (SyscallException e)
            {
                // The clock is left.
                _log.LogWarning("Container runtime: notices of interfaces cannot be read: {Problem}", e.Message);
            }
        }
    }

    /// <returns>Whether the runtime answers.</returns>
    internal bool Look()
    {
        try
        {
            if (State.Problem.Length > 0)
                Say(State with { Name = _runtime.Name(), Problem = "" });
            Take();
            _answered = _time.GetTimestamp();
            Say(State with { Sandboxes = _known.Values.Count(told => told) });
            return true;
        }
        catch (RpcException) when (_stopping)
        {
            return false;
        }
        catch (RpcException e)
        {
            if (_time.GetElapsedTime(_answered) > s_trust)
                Forget(_known.Keys);
            Say(State with { Problem = e.Status.DebugException?.GetBaseException().Message ?? e.Status.Detail, Sandboxes = _known.Values.Count(told => told) });
            return false;
        }
    }

    private void Take()
    {
        var listed = _runtime.Ready();
        var ids = listed.Select(s => s.Id).ToHashSet(StringComparer.Ordinal);

        // Those of the gate, too: it may not have been told of their end.
        Forget(_known.Keys.Where(id => !ids.Contains(id)));
        foreach (var id in listed.Select(s => s.Id).Where(id => !_known.TryGetValue(id, out var told) || (told && !_sandboxes.Knows(id))))
        {
            if (_sandboxes.Knows(id))
            {
                _known[id] = true;
                continue;
            }

            var (sandbox, isFinal) = _runtime.Describe(id);
            if (sandbox is not null)
                _sandboxes.Add(sandbox);
            if (isFinal)
                _known[id] = sandbox is not null;
        }
    }

    private void Forget(IEnumerable<string> ids)
    {
        foreach (var id in ids.ToArray())
        {
            _sandboxes.Remove(id);
            _known.Remove(id);
        }
    }

    private void Say(RuntimeState state)
    {
        var before = State;
        Volatile.Write(ref _state, state);
        if (state.Problem == before.Problem)
            return;
        if (state.Problem.Length == 0)
            _log.LogInformation("Container runtime: {Name} answers at {Socket}", state.Name, _socket);
        else
            _log.LogWarning("Container runtime: no answer at {Socket}: {Problem}. Until there is, pods are found by their cgroups alone", _socket, state.Problem);
    }
}

using System.Collections.Concurrent;
using NodeMesh.Native.Net;

namespace NodeMesh.Proxy.Engine;

/// <summary>Work that other threads give to a worker: gateway changes, snapshots, drain. The data path never uses it.</summary>
internal sealed class WorkerMailbox : IoHandler, IDisposable
{
    private readonly ConcurrentQueue<Action> _work = new();
    private readonly WakeFd _wake = new();
    private bool _closed;

    public int Fd => _wake.Fd;

    /// <returns>False when the worker has ended; the action will not run.</returns>
    public bool Post(Action action)
    {
        if (Volatile.Read(ref _closed))
            return false;
        _work.Enqueue(action);
        _wake.Wake();
        return true;
    }

    public override void OnReady(EpollFlags flags)
    {
        _wake.Clear();
        while (_work.TryDequeue(out var action))
            action();
    }

    public override void OnTimer(long now)
    {
        // A mailbox has no deadline.
    }

    public override void Fail()
    {
        // Its work is the worker's own; what throws there ends the worker, and is not caught.
    }

    /// <summary>By the worker's thread, at its end: what came too late still runs, so that nobody waits for ever.</summary>
    public void Close()
    {
        Volatile.Write(ref _closed, true);
        while (_work.TryDequeue(out var action))
            action();
    }

    public void Dispose() => _wake.Dispose();
}

using System.Diagnostics;
using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Agent.Hosting;

/// <summary>Compiles the newest snapshot with the newest facts on a thread of its own. What came meanwhile is taken together.</summary>
internal sealed class PlanPump : IDisposable
{
    private readonly AutoResetEvent _wake = new(false);
    private readonly Action<MeshSnapshot, MeshPlan, TimeSpan> _compiled;
    private readonly Action<Exception> _failed;
    private readonly Thread _thread;
    private MeshSnapshot? _snapshot;
    private NodeFacts _facts;
    private volatile bool _stopping;

    /// <param name="compiled">On the pump's thread.</param>
    /// <param name="failed">A defect of ours; the pump has ended.</param>
    public PlanPump(NodeFacts facts, Action<MeshSnapshot, MeshPlan, TimeSpan> compiled, Action<Exception> failed)
    {
        _facts = facts;
        _compiled = compiled;
        _failed = failed;
        _thread = new Thread(Run) { IsBackground = true, Name = "compiler" };
        _thread.Start();
    }

    public void Take(MeshSnapshot snapshot)
    {
        Volatile.Write(ref _snapshot, snapshot);
        _wake.Set();
    }

    public void Take(NodeFacts facts)
    {
        Volatile.Write(ref _facts, facts);
        _wake.Set();
    }

    public void Dispose()
    {
        _stopping = true;
        _wake.Set();
        _thread.Join();
        _wake.Dispose();
    }

    private void Run()
    {
        var isFirst = true;
        var previous = MeshPlan.Empty;
        while (_wake.WaitOne() && !_stopping)
        {
            if (Volatile.Read(ref _snapshot) is not { } snapshot)
                continue;
            try
            {
                var started = Stopwatch.GetTimestamp();
                previous = MeshCompiler.Compile(snapshot, Volatile.Read(ref _facts), previous);
                _compiled(snapshot, previous, Stopwatch.GetElapsedTime(started));

                // A large plan may take a second of CPU; the proxy's workers come first. The first plan starts them, and a thread begins with the
                // priority of the one that starts it: so not before.
                if (isFirst)
                    Native.ThreadPriority.Lower(5);
                isFirst = false;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // The agent's top decides: it ends, and the kernel side goes on enforcing the last plan.
                _failed(e);
                return;
            }
        }
    }
}

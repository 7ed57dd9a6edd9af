namespace NodeMesh.Agent.Hosting;

/// <summary>Ready when nothing blocks. What must happen first holds a block and disposes it when it has happened.</summary>
internal sealed class Readiness
{
    private readonly Lock _gate = new();
    private readonly List<Blocker> _blockers = [];

    public bool IsReady
    {
        get
        {
            lock (_gate)
                return _blockers.Count == 0;
        }
    }

    /// <summary>What is waited for, oldest first.</summary>
    public string[] Reasons
    {
        get
        {
            lock (_gate)
                return [.. _blockers.Select(b => b.Reason)];
        }
    }

    /// <param name="reason">Completes "not ready: …".</param>
    public Blocker Block(string reason)
    {
        var blocker = new Blocker(this, reason);
        lock (_gate)
            _blockers.Add(blocker);
        return blocker;
    }

    internal sealed class Blocker(Readiness owner, string reason) : IDisposable
    {
        private string _reason = reason;

        public string Reason => Volatile.Read(ref _reason);

        /// <summary>Says more exactly what is waited for.</summary>
        public void Because(string reason) => Volatile.Write(ref _reason, reason);

        /// <summary>It has happened. More than once is the same as once.</summary>
        public void Dispose()
        {
            lock (owner._gate)
                owner._blockers.Remove(this);
        }
    }
}

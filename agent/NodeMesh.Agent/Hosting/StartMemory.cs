namespace NodeMesh.Agent.Hosting;

/// <summary>
/// Reading a large mesh for the first time takes several times the memory of keeping it, and nothing that follows is large enough for the collector to give
/// that back by itself. So it is told to, once, when the first plan is in force and connections are few: it stops every thread for as long as it takes.
/// </summary>
internal sealed class StartMemory
{
    private bool _isDone;

    /// <summary>From one thread only.</summary>
    public void GiveBack()
    {
        if (_isDone)
            return;
        _isDone = true;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }
}

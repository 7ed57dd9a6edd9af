using NodeMesh.Native.Net;

namespace NodeMesh.Proxy.Engine;

/// <summary>What the loop calls when a descriptor is ready or a deadline has passed.</summary>
internal abstract class IoHandler
{
    internal IoHandler? Previous;
    internal IoHandler? Next;

    /// <summary>Slot in the timer wheel; -1 when not in it.</summary>
    internal int Slot = -1;

    /// <summary>When the wheel will look at it, milliseconds.</summary>
    internal long LooksAt;

    /// <summary>Milliseconds of the worker's clock; long.MaxValue: none. Moving it later is one field write; the wheel finds out when it gets there.</summary>
    internal long Deadline = long.MaxValue;

    public abstract void OnReady(EpollFlags flags);

    /// <summary>The deadline has passed; it is cleared before the call.</summary>
    public abstract void OnTimer(long now);

    /// <summary>One of the above has thrown, by a defect of ours: close, and count it.</summary>
    public abstract void Fail();
}

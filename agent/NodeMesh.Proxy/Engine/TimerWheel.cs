namespace NodeMesh.Proxy.Engine;

/// <summary>Something with at most one deadline. Moving the deadline later is one field write; the wheel finds out when it gets there.</summary>
internal abstract class TimerNode
{
    internal TimerNode? Previous;
    internal TimerNode? Next;

    /// <summary>Slot in the wheel; -1 when not in it.</summary>
    internal int Slot = -1;

    /// <summary>When the wheel will look at it, milliseconds.</summary>
    internal long LooksAt;

    /// <summary>Milliseconds of the worker's clock; long.MaxValue: none.</summary>
    internal long Deadline = long.MaxValue;

    /// <summary>The deadline has passed; it is cleared before the call.</summary>
    public abstract void OnTimer(long now);
}

/// <summary>A wheel of 512 slots of 64 ms. Longer deadlines go round until they are due. No allocation, no sorting.</summary>
internal sealed class TimerWheel
{
    private const int Slots = 512;
    private const int Shift = 6;
    private readonly TimerNode?[] _heads = new TimerNode?[Slots];
    private long _tick;
    private int _count;

    public TimerWheel(long now) => _tick = now >> Shift;

    public void Set(TimerNode node, long deadline)
    {
        node.Deadline = deadline;
        if (deadline == long.MaxValue)
            return; // stays linked if it is; ignored when looked at
        if (node.Slot >= 0)
        {
            if (deadline >= node.LooksAt)
                return;
            Unlink(node);
        }

        Link(node);
    }

    public void Remove(TimerNode node)
    {
        node.Deadline = long.MaxValue;
        if (node.Slot >= 0)
            Unlink(node);
    }

    /// <summary>Milliseconds until the next slot that holds something; -1: nothing waits.</summary>
    public int NextDelay(long now)
    {
        if (_count == 0)
            return -1;
        for (var i = 1; i <= Slots; i++)
        {
            if (_heads[(int)((_tick + i) & (Slots - 1))] is not null)
                return (int)Math.Max(1, ((_tick + i) << Shift) - now);
        }

        return Slots << Shift;
    }

    public void Advance(long now)
    {
        var target = now >> Shift;
        while (_tick < target)
        {
            _tick++;
            var node = _heads[(int)(_tick & (Slots - 1))];
            while (node is not null)
            {
                var next = node.Next;
                if (node.LooksAt >> Shift <= _tick)
                {
                    Unlink(node);
                    Due(node, now);

                    // OnTimer may have unlinked anything: start the slot again.
                    next = _heads[(int)(_tick & (Slots - 1))];
                    if (ReferenceEquals(next, node))
                        next = node.Next;
                }

                node = next;
            }
        }
    }

    private void Due(TimerNode node, long now)
    {
        if (node.Deadline == long.MaxValue)
            return;
        if (node.Deadline > now)
        {
            Link(node);
            return;
        }

        node.Deadline = long.MaxValue;
        node.OnTimer(now);
    }

    private void Link(TimerNode node)
    {
        // One tick later than the deadline's own, so that it has passed when the slot is looked at.
        var tick = Math.Clamp((node.Deadline >> Shift) + 1, _tick + 1, _tick + Slots - 1);
        node.LooksAt = tick << Shift;
        node.Slot = (int)(tick & (Slots - 1));
        node.Previous = null;
        node.Next = _heads[node.Slot];
        if (node.Next is not null)
            node.Next.Previous = node;
        _heads[node.Slot] = node;
        _count++;
    }

    private void Unlink(TimerNode node)
    {
        if (node.Previous is null)
            _heads[node.Slot] = node.Next;
        else
            node.Previous.Next = node.Next;
        if (node.Next is not null)
            node.Next.Previous = node.Previous;
        node.Previous = node.Next = null;
        node.Slot = -1;
        _count--;
    }
}

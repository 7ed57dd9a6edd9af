namespace NodeMesh.Proxy.Engine;

/// <summary>A wheel of 512 slots of 64 ms. Longer deadlines go round until they are due. No allocation, no sorting.</summary>
internal sealed class TimerWheel
{
    private const int Slots = 512;
    private const int Shift = 6;
    private readonly IoHandler?[] _heads = new IoHandler?[Slots];
    private long _tick;
    private int _count;

    private readonly Action<IoHandler, long> _due;

    /// <param name="due">Calls a handler whose deadline has passed, and lets nothing out that it throws.</param>
    public TimerWheel(long now, Action<IoHandler, long> due)
    {
        _tick = now >> Shift;
        _due = due;
    }

    public void Set(IoHandler node, long deadline)
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

    public void Remove(IoHandler node)
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

    private void Due(IoHandler node, long now)
    {
        if (node.Deadline == long.MaxValue)
            return;
        if (node.Deadline > now)
        {
            Link(node);
            return;
        }

        node.Deadline = long.MaxValue;
        _due(node, now);
    }

    private void Link(IoHandler node)
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

    private void Unlink(IoHandler node)
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

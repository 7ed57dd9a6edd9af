namespace NodeMesh.Proxy.Stats;

/// <summary>Records on their way from one worker to the log's thread: one writer, one reader, no locks, bounded.</summary>
internal sealed class AccessRing
{
    private const int Size = 1024;
    private readonly AccessRecord[] _records = new AccessRecord[Size];
    private long _written;
    private long _read;

    public AccessRing()
    {
        for (var i = 0; i < Size; i++)
            _records[i] = new AccessRecord();
    }

    /// <summary>The next record to fill, to be followed by <see cref="Commit"/>; null when the log cannot keep up.</summary>
    public AccessRecord? TryBegin() => _written - Volatile.Read(ref _read) == Size ? null : _records[(int)(_written & (Size - 1))];

    public void Commit() => Volatile.Write(ref _written, _written + 1);

    public int Drain(IAccessLog log)
    {
        var end = Volatile.Read(ref _written);
        var count = 0;
        for (var at = _read; at < end; at++, count++)
        {
            log.Write(_records[(int)(at & (Size - 1))]);
            Volatile.Write(ref _read, at + 1);
        }

        return count;
    }
}

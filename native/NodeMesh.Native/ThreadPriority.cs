namespace NodeMesh.Native;

/// <summary>How much of a busy CPU a thread gets. .NET's own property does nothing on Linux.</summary>
public static class ThreadPriority
{
    /// <summary>Makes the calling thread give way to others.</summary>
    /// <param name="by">Steps of nice(2), each about a tenth less CPU when others want it.</param>
    public static void Lower(int by)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(by);
        _ = Libc.Nice(by); // only the way up can be refused
    }
}

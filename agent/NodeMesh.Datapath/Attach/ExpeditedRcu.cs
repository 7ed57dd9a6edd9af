namespace NodeMesh.Datapath.Attach;

/// <summary>
/// While it lives, the kernel's grace periods are expedited. Whoever attaches to an interface or detaches waits for one under the lock of all network devices:
/// 13 ms each on a small machine, else a tenth of one. It is a switch of the whole kernel, which interrupts every CPU for each, so it is held no longer than the batch.
/// </summary>
internal sealed class ExpeditedRcu : IDisposable
{
    public const string KernelSwitch = "/sys/kernel/rcu_expedited";

    private readonly string _switch;
    private readonly string _marker;

    private ExpeditedRcu(string kernelSwitch, string marker) => (_switch, _marker) = (kernelSwitch, marker);

    /// <param name="runDirectory">Where a note says that the switch is ours, in case nobody lives to put it back.</param>
    /// <returns>Null where the switch is on already, or may not be written: all goes on as well, slower.</returns>
    public static ExpeditedRcu? Begin(string runDirectory, string kernelSwitch = KernelSwitch)
    {
        var rcu = new ExpeditedRcu(kernelSwitch, Marker(runDirectory));
        try
        {
            if (File.ReadAllText(kernelSwitch).Trim() != "0")
                return null;
            File.WriteAllText(rcu._marker, "");
            File.WriteAllText(kernelSwitch, "1");
            return rcu;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(rcu._marker);
            return null;
        }
    }

    /// <summary>Puts back what an agent that was killed meanwhile left on.</summary>
    /// <returns>Whether there was anything.</returns>
    public static bool Restore(string runDirectory, string kernelSwitch = KernelSwitch)
    {
        if (!File.Exists(Marker(runDirectory)))
            return false;
        new ExpeditedRcu(kernelSwitch, Marker(runDirectory)).Dispose();
        return true;
    }

    public void Dispose()
    {
        try
        {
            File.WriteAllText(_switch, "0");
            TryDelete(_marker);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The marker stays: the next agent, or cleanup, tries again.
        }
    }

    private static string Marker(string runDirectory) => Path.Combine(runDirectory, "rcu_expedited");

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Of a directory that is gone or may not be written, which whoever needs it says.
        }
    }
}

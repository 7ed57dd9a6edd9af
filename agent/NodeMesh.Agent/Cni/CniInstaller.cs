using Microsoft.Extensions.Logging;
using NodeMesh.Agent.Hosting;
using NodeMesh.Agent.Options;

namespace NodeMesh.Agent.Cni;

/// <summary>
/// Keeps the plugin in the runtime's list for as long as the agent runs: another network plugin may write its list anew, or one that comes first. The entry stays
/// when the agent ends, since pods start then too.
/// </summary>
internal sealed class CniInstaller(CniGateOptions options, string runDir, Readiness readiness, ILogger log)
{
    // Notices make it quick; this finds what they missed, and folders that were not there.
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _bell = new(0, 1);
    private string _problem = "";

    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        if (options.Mode == CniGateMode.Off)
        {
            TakeOut();
            await Task.Delay(Timeout.InfiniteTimeSpan, stop).ConfigureAwait(false);
        }

        using var blocker = readiness.Block("the CNI gate is not in the runtime's list");
        FileSystemWatcher? watcher = null;
        try
        {
            while (true)
            {
                // First the watch, then the look: what is written after the look rings. A folder that went and came again is another one.
                if (!Directory.Exists(options.ConfDir))
                {
                    watcher?.Dispose();
                    watcher = null;
                }
                else
                {
                    watcher ??= TryWatch();
                }

                if (Look())
                    blocker.Dispose();
                await _bell.WaitAsync(s_look, stop).ConfigureAwait(false);
            }
        }
        finally
        {
            watcher?.Dispose();
        }
    }

    private bool Look()
    {
        try
        {
            foreach (var what in CniFiles.Ensure(options, runDir, Environment.ProcessPath!))
                log.LogInformation("CNI gate: {What}", what);
            _problem = "";
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (e.Message != _problem)
                log.LogError("CNI gate: {Problem}. It is tried again; until then pods start without waiting for their policy", e.Message);
            _problem = e.Message;
            return false;
        }
    }

    private void TakeOut()
    {
        try
        {
            foreach (var what in CniFiles.Remove(options.BinDir, options.ConfDir))
                log.LogInformation("CNI gate: took away {What}", what);

            // Nobody tells of their end from here on.
            KeptSandboxes.Clear(runDir);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.LogError("CNI gate: what an earlier agent left cannot be taken away: {Problem}", e.Message);
        }
    }

    /// <summary>Null when the folder has just gone, or the kernel gives no more watches: then the clock alone has to do.</summary>
    private FileSystemWatcher? TryWatch()
    {
        try
        {
            return Watch();
        }
        catch (Exception e) when (e is ArgumentException or IOException)
        {
            return null;
        }
    }

    private FileSystemWatcher Watch()
    {
        var watcher = new FileSystemWatcher(options.ConfDir) { NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite | NotifyFilters.Size };
        watcher.Changed += (_, _) => Ring();
        watcher.Created += (_, _) => Ring();
        watcher.Deleted += (_, _) => Ring();
        watcher.Renamed += (_, _) => Ring();
        watcher.Error += (_, _) => Ring();
        watcher.EnableRaisingEvents = true;
        return watcher;
    }

    private void Ring()
    {
        try
        {
            _bell.Release();
        }
        catch (SemaphoreFullException)
        {
            // It has rung already.
        }
    }
}

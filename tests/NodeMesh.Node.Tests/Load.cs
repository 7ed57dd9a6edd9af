using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Load by wrk, and what it says in the end.</summary>
internal static class Load
{
    /// <summary>Starts it; its connections are there when this returns.</summary>
    /// <param name="each">A new connection for each request.</param>
    public static ChildProcess Start(Netns from, string url, int seconds, int connections = 4, bool each = false)
    {
        var wrk = from.Start(Command(url, seconds, connections, each));
        Eventually.True(() => wrk.HasExited || from.Run("sh", "-c", "ss -Htn state established | grep -q .").ExitCode == 0, $"the load on {url} runs");
        return wrk;
    }

    /// <summary>Runs it to its end.</summary>
    public static void Run(Netns from, string url, int seconds, int connections, bool each) => MustBeClean(from.Run(Command(url, seconds, connections, each)).Output);

    /// <summary>Waits for the end; fails when wrk saw a socket error or a status other than 2xx/3xx, or did nothing.</summary>
    public static void MustEndClean(this ChildProcess wrk)
    {
        Assert.That(wrk.WaitForExit(TimeSpan.FromMinutes(1)), "wrk ends");
        MustBeClean(wrk.Output);
    }

    // An answer that takes long on a busy machine is not lost.
    private static string[] Command(string url, int seconds, int connections, bool each) =>
        ["wrk", "-t1", $"-c{connections}", $"-d{seconds}", "--timeout", "30s", .. each ? ["-H", "Connection: close"] : (string[])[], url];

    private static void MustBeClean(string wrk)
    {
        Assert.That(wrk, Does.Contain("Requests/sec"), wrk);
        Assert.That(wrk, Does.Not.Contain("Socket errors"), wrk);
        Assert.That(wrk, Does.Not.Contain("Non-2xx"), wrk);
        Assert.That(wrk, Does.Not.Contain("Requests/sec:      0.00"), wrk);
    }
}

namespace NodeMesh.Node.Tests;

/// <summary>Reads what wrk prints.</summary>
internal static class Load
{
    /// <summary>Fails when wrk saw a socket error or a status other than 2xx/3xx, or did nothing.</summary>
    public static void MustBeClean(string wrk)
    {
        Assert.That(wrk, Does.Contain("Requests/sec"), wrk);
        Assert.That(wrk, Does.Not.Contain("Socket errors"), wrk);
        Assert.That(wrk, Does.Not.Contain("Non-2xx"), wrk);
        Assert.That(wrk, Does.Not.Contain("Requests/sec:      0.00"), wrk);
    }
}

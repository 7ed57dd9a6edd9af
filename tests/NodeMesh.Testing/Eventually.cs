using System.Diagnostics;

namespace NodeMesh.Testing;

/// <summary>Waits for a condition instead of for a time. The limit is there for what never comes; a slow machine does not meet it.</summary>
public static class Eventually
{
    public static void True(Func<bool> condition, string what, TimeSpan? within = null)
    {
        var limit = within ?? TimeSpan.FromSeconds(60);
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed > limit)
                throw new TimeoutException($"not within {limit.TotalSeconds:0.#} s: {what}");
            Thread.Sleep(10);
        }
    }
}

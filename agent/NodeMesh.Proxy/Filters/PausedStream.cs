using NodeMesh.Proxy.Engine;

namespace NodeMesh.Proxy.Filters;

/// <summary>A stream that one filter's call has paused. Members may be called from any thread; the first one counts, and none does once the stream
/// has ended (client gone, time up).</summary>
internal readonly struct PausedStream(HttpExchange exchange, long pause)
{
    /// <summary>The next filter is asked.</summary>
    public void Resume() => exchange.EndPause(pause, null);

    /// <summary>The answer is sent instead.</summary>
    public void Respond(LocalReply reply) => exchange.EndPause(pause, reply);
}

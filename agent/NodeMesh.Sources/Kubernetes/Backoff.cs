namespace NodeMesh.Sources.Kubernetes;

/// <summary>How long to wait before the next try: twice as long each time, up to a bound, and never the same on two nodes.</summary>
internal sealed class Backoff(TimeSpan first, TimeSpan most)
{
    /// <summary>A server that asks for days is asked again all the same.</summary>
    private static readonly TimeSpan s_mostAsked = TimeSpan.FromMinutes(5);

    private readonly TimeSpan _first = first;
    private TimeSpan _next = first;

    /// <param name="asked">What the server asked for; it gets at least that, up to five minutes.</param>
    public TimeSpan Next(TimeSpan? asked)
    {
        // Between half and one and a half of it: a thousand nodes that lost the server together do not come back together.
        var wait = _next * (0.5 + Random.Shared.NextDouble());
        _next = _next * 2 < most ? _next * 2 : most;
        var patience = asked < s_mostAsked ? asked.Value : asked is null ? TimeSpan.Zero : s_mostAsked;
        return patience > wait ? patience : wait;
    }

    public void Reset() => _next = _first;
}

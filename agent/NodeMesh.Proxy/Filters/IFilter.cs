namespace NodeMesh.Proxy.Filters;

/// <summary>What a filter wants next.</summary>
internal enum FilterAction : byte
{
    Continue,

    /// <summary>The stream waits until <see cref="FilterContext.Resume"/>; bytes stay in their bounded buffer.</summary>
    Pause,

    /// <summary>The filter has put its answer into <see cref="FilterContext.Reply"/>; the stream sends it instead.</summary>
    Respond,
}

/// <summary>A step between codec and router. Filters are stateless and shared by a worker's streams; what they must remember about a
/// stream they keep in its <see cref="FilterContext.Slots"/>.</summary>
internal interface IFilter
{
    /// <summary>Called once the route and the endpoint are chosen and before anything is sent.</summary>
    FilterAction OnRequestHeaders(FilterContext context);

    /// <param name="data">Body bytes without framing; valid during the call.</param>
    FilterAction OnRequestBody(FilterContext context, ReadOnlySpan<byte> data, bool end);

    FilterAction OnResponseHeaders(FilterContext context);

    FilterAction OnResponseBody(FilterContext context, ReadOnlySpan<byte> data, bool end);

    /// <summary>False: bodies are forwarded without showing them, which is cheaper.</summary>
    bool NeedsBodies { get; }
}

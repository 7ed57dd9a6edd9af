namespace NodeMesh.Proxy.Filters;

/// <summary>What a filter wants next.</summary>
internal enum FilterAction : byte
{
    Continue,

    /// <summary>The stream waits for its <see cref="FilterContext.Stream"/> to be resumed; bytes stay in their bounded buffers, and times go on running.</summary>
    Pause,

    /// <summary>The filter has put its answer into <see cref="FilterContext.Reply"/>; the stream sends it instead.</summary>
    Respond,
}

/// <summary>A step between codec and router. Filters are stateless and shared by all workers' streams; what they must remember about a
/// stream they keep in its <see cref="FilterContext.Slots"/>. Each is called once per stream and direction.</summary>
internal interface IFilter
{
    /// <summary>Called once the route and the endpoint are chosen and before anything is sent.</summary>
    FilterAction OnRequestHeaders(FilterContext context);

    /// <summary>Called for the final response's head, before anything of it is sent.</summary>
    FilterAction OnResponseHeaders(FilterContext context);
}

using NodeMesh.Plan;

namespace NodeMesh.Proxy;

/// <summary>What the operator may set. Every value has a default that suits a node of a mesh; docs/http.md lists them.</summary>
public sealed record ProxyOptions
{
    /// <summary>Port of the transparent listeners on 127.0.0.1 and ::1; nm_config.proxy_port_be must say the same. 0: any free one (tests).</summary>
    public ushort Port { get; init; } = 15001;

    /// <summary>Event loops, each on its own thread with its own listeners.</summary>
    public int Workers { get; init; } = Math.Min(Environment.ProcessorCount, 4);

    /// <summary>Transparent sockets and marks, as the hand-over needs them (CAP_NET_ADMIN). False only where nothing hands over: tests, a laptop.</summary>
    public bool Transparent { get; init; } = true;

    /// <summary>The workers share one transparent listener of a family, since the kernel hands no packet over to a group of them (SO_REUSEPORT) before 6.6.</summary>
    public bool SharedListener { get; init; }

    /// <summary>Where the two mark bits stand; nm_config.mark_shift.</summary>
    public int MarkShift { get; init; } = 8;

    /// <summary>Upstream sockets keep the address of a client that is a pod of this node.</summary>
    public bool KeepSource { get; init; } = true;

    /// <summary>Where connections go that dial the listener itself; null refuses them. Without hand-over this stands for the original destination.</summary>
    public ServiceAddress? DirectDestination { get; init; }

    /// <summary>All client connections of the node; shared out evenly among the workers.</summary>
    public int MaxConnections { get; init; } = 65536;

    /// <summary>Client connections from one address, per node; shared out evenly among the workers, so that one pod cannot take all.</summary>
    public int MaxConnectionsPerPod { get; init; } = 4096;

    /// <summary>Idle upstream connections kept per client address and endpoint, per worker.</summary>
    public int MaxIdlePerKey { get; init; } = 32;

    /// <summary>Idle upstream connections kept in all, per worker.</summary>
    public int MaxIdle { get; init; } = 4096;

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>From a request's first byte to its head's last one: 408.</summary>
    public TimeSpan RequestHeadTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A connection without a request, and a TCP connection without a byte.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>A request without a byte in either direction: 504 before the response, else a reset.</summary>
    public TimeSpan StreamIdleTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Upstream connections in the pool; below what servers use, so that we close first (nginx 75 s, Go and Node.js vary).</summary>
    public TimeSpan UpstreamIdleTimeout { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Requests that no route speaks for, from the whole request to the response's head: 504.</summary>
    public TimeSpan DefaultRouteTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>After an answer that ends the connection: how long the client may take to read it.</summary>
    public TimeSpan DelayedClose { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long first bytes that might become HTTP may stay undecided before they are passed through as they are.</summary>
    public TimeSpan SniffTimeout { get; init; } = TimeSpan.FromMilliseconds(500);
}

/// <summary>The proxy cannot start; the message names the cause and the cure in one sentence.</summary>
public sealed class ProxyStartException(string message) : Exception(message);

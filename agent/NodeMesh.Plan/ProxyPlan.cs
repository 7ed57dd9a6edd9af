using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using NodeMesh.Model;

namespace NodeMesh.Plan;

/// <summary>Everything the proxy needs to serve a request; immutable and swapped whole.</summary>
/// <param name="Services">By the address a client dialled. An address not here is dialled as it is (a pod's own address).</param>
/// <param name="LocalPods">Pods of this node by address: whose ingress the proxy judges, and who may be a client.</param>
/// <param name="NodeAddressV4">Source of upstream connections that cannot keep the client's address (hairpin, gateway); default when none.</param>
public sealed record ProxyPlan(
    ulong Revision,
    FrozenDictionary<ServiceAddress, ServicePlan> Services,
    FrozenDictionary<IpAddr, LocalPodPlan> LocalPods,
    ImmutableArray<GatewayPlan> Gateways,
    PolicyPlan Policy,
    IpAddr NodeAddressV4,
    IpAddr NodeAddressV6)
{
    public static readonly ProxyPlan Empty = new(
        0, FrozenDictionary<ServiceAddress, ServicePlan>.Empty, FrozenDictionary<IpAddr, LocalPodPlan>.Empty, [], PolicyPlan.Empty, default, default);
}

/// <summary>A TCP service address.</summary>
public readonly record struct ServiceAddress(IpAddr Address, ushort Port);

/// <param name="Identity">The pod's identity number.</param>
/// <param name="PolicySet">0 when no policy selects it.</param>
public sealed record LocalPodPlan(ObjectName Name, IpAddr Address, uint Identity, uint PolicySet);

/// <summary>How the bytes of a connection are to be read.</summary>
public enum AppProtocol
{
    /// <summary>Not declared: whoever speaks first decides, see Sniffing in docs/life-of-a-connection.md.</summary>
    Sniff,
    Http,
    Tcp,
}

/// <param name="Name">"shop/web:80".</param>
/// <param name="Routes">Null: no HTTPRoute, every request goes to <paramref name="Cluster"/>.</param>
/// <param name="Cluster">The service's own backends.</param>
public sealed record ServicePlan(string Name, AppProtocol Protocol, RouteTablePlan? Routes, ClusterPlan Cluster)
{
    /// <summary>By namespace: what holds for the pods of that namespace in place of <see cref="Routes"/>, since routes there say so (consumer routes).</summary>
    public ImmutableSortedDictionary<string, RouteTablePlan> ConsumerRoutes { get; init; } = ImmutableSortedDictionary<string, RouteTablePlan>.Empty;

    public IEnumerable<RouteTablePlan> Tables => Routes is null ? ConsumerRoutes.Values : ConsumerRoutes.Values.Prepend(Routes);

    /// <param name="client">Null: no pod of this node.</param>
    public RouteTablePlan? RoutesFor(LocalPodPlan? client) =>
        client is not null && ConsumerRoutes.Count > 0 && ConsumerRoutes.TryGetValue(client.Name.Namespace, out var own) ? own : Routes;
}

/// <summary>A group of interchangeable backends. Equal clusters of successive plans have equal names.</summary>
/// <param name="Name">"shop/web:80", also the metric label.</param>
public sealed record ClusterPlan(string Name, ImmutableArray<EndpointAddress> Endpoints);

public readonly record struct EndpointAddress(IpAddr Address, ushort Port);

/// <summary>Rules in the order of Gateway API precedence: the first that matches wins.</summary>
/// <param name="Hosts">By host, most specific first: exact names, then "*.suffix" longest first, then "*" ("" key). Service parents use only "*".</param>
public sealed record RouteTablePlan(ImmutableArray<VirtualHostPlan> Hosts);

/// <param name="Host">"*", "*.example.com" or "www.example.com"; lower case.</param>
public sealed record VirtualHostPlan(string Host, ImmutableArray<RouteEntryPlan> Entries);

/// <summary>One match of one rule; already in order of precedence.</summary>
public sealed record RouteEntryPlan(RouteMatch Match, RouteActionPlan Action);

/// <param name="Name">"shop/split" or "shop/split/rule-name"; the access log's ROUTE_NAME and a metric label.</param>
/// <param name="Targets">Empty without a redirect: 500. Weights of zero are already left out.</param>
/// <param name="TotalWeight">Sum of the targets' weights.</param>
/// <param name="Timeout">Null: none. What it covers says <paramref name="TimeoutCoversResponse"/>.</param>
/// <param name="BackendTimeout">One try, from its connect to the response's end; null: none.</param>
/// <param name="TimeoutCoversResponse">The route has set the timeout: it runs from the request's head to the response's end. False for the default,
/// which runs from the whole request to the response's head.</param>
public sealed record RouteActionPlan(
    string Name,
    RedirectFilter? Redirect,
    RewriteFilter? Rewrite,
    ImmutableArray<HeaderFilter> RequestHeaders,
    ImmutableArray<HeaderFilter> ResponseHeaders,
    ImmutableArray<RouteTargetPlan> Targets,
    int TotalWeight,
    TimeSpan? Timeout,
    TimeSpan? BackendTimeout,
    bool TimeoutCoversResponse = false);

/// <param name="Cluster">Null: an invalid reference; its share of requests gets 500.</param>
public sealed record RouteTargetPlan(
    ClusterPlan? Cluster, int Weight, ImmutableArray<HeaderFilter> RequestHeaders, ImmutableArray<HeaderFilter> ResponseHeaders);

/// <summary>One socket of the node with the listeners that share it.</summary>
/// <param name="Name">"edge/web:443".</param>
public sealed record GatewayPlan(string Name, IPEndPoint Address, ListenerProtocol Protocol, ImmutableArray<GatewayHostPlan> Hosts);

/// <summary>One Gateway listener on a socket: chosen by SNI and Host, most specific first.</summary>
/// <param name="Hostname">"*", "*.example.com" or exact; lower case.</param>
/// <param name="Certificates">HTTPS only; the first is the default.</param>
public sealed record GatewayHostPlan(string Listener, string Hostname, ImmutableArray<Certificate> Certificates, RouteTablePlan Routes);

namespace NodeMesh.Datapath.Tables;

/// <param name="Name">Of the kernel map.</param>
/// <param name="Option">What raises its size, as the operator writes it; empty when the size is fixed.</param>
/// <param name="Holds">What its rows are, for people.</param>
/// <param name="RowBytes">About what one row costs in kernel memory; for tables allocated whole, also when empty.</param>
/// <param name="Preallocated">Takes its memory at load.</param>
public sealed record MapSpec(
    string Name, string Option, string Holds, Func<MapSizes, uint> Size, Func<MapSizes, uint, MapSizes> With, int RowBytes, bool Preallocated);

/// <summary>Every kernel map. The agent's tables come first, in the order of writing (and, backwards, of removal).</summary>
public static class MapCatalog
{
    public const string Identity = "nm_identity";
    public const string Backend = "nm_backend";
    public const string Slot = "nm_slot";
    public const string Member = "nm_member";
    public const string SourceRange = "nm_source_range";
    public const string Frontend = "nm_frontend";
    public const string PeerGroup = "nm_peer_group";
    public const string Class = "nm_class";
    public const string Verdict = "nm_verdict";
    public const string Endpoint = "nm_endpoint";
    public const string Pod = "nm_pod";
    public const string Netns = "nm_netns";
    public const string Epoch = "nm_epoch";
    public const string Counter = "nm_counter";
    public const string RuleHit = "nm_rule_hit";
    public const string ConnectionTcp = "nm_ct_tcp";
    public const string ConnectionAny = "nm_ct_any";
    public const string ShareUse = "nm_share_use";
    public const string Share = "nm_share";
    public const string Fragment = "nm_fragment";
    public const string Reverse = "nm_reverse";
    public const string Affinity = "nm_affinity";
    public const string NatBrief = "nm_nat_brief";
    public const string NatTcp = "nm_nat_tcp";
    public const string NatAny = "nm_nat_any";
    public const string NatFragment = "nm_nat_frag";

    /// <summary>In the order in which the programs look.</summary>
    public static readonly string[] Translations = [NatTcp, NatAny, NatBrief];

    public static readonly MapSpec[] All =
    [
        new(Backend, "backends", "backends of services", s => s.Backends, (s, n) => s with { Backends = n }, 96, false),
        new(Slot, "slots", "places of backends in services", s => s.Slots, (s, n) => s with { Slots = n }, 80, false),
        new(Member, "members", "backends of services that keep a client's backend", s => s.Members, (s, n) => s with { Members = n }, 80, false),
        new(SourceRange, "source-ranges", "blocks that may reach load balancer addresses", s => s.SourceRanges, (s, n) => s with { SourceRanges = n }, 96, false),
        new(Frontend, "frontends", "service addresses and ports", s => s.Frontends, (s, n) => s with { Frontends = n }, 96, false),
        new(Verdict, "verdicts", "verdicts by class, protocol and port range", s => s.Verdicts, (s, n) => s with { Verdicts = n }, 96, false),
        new(Class, "classes", "peers told apart by policy sets", s => s.Classes, (s, n) => s with { Classes = n }, 80, false),
        new(PeerGroup, "", "peers named by policies", s => s.Identities, (s, _) => s, 72, false),
        new(Identity, "identities", "addresses and CIDR blocks with their identity", s => s.Identities, (s, n) => s with { Identities = n }, 96, false),
        new(Pod, "pods", "addresses of pods of this node", s => s.Pods, (s, n) => s with { Pods = n }, 96, false),
        new(Endpoint, "endpoints", "pods of this node", s => s.Endpoints, (s, n) => s with { Endpoints = n }, 96, false),
        new(Netns, "", "pods of this node by their network namespace", s => s.Endpoints, (s, _) => s, 72, false),
        new(Epoch, "", "the number of the policy in force", _ => 1, (s, _) => s, 8, true),
        new(ConnectionTcp, "tcp-connections", "tracked TCP connections", s => s.TcpConnections, (s, n) => s with { TcpConnections = n }, 120, true),
        new(ConnectionAny, "other-connections", "tracked connections of other protocols", s => s.OtherConnections, (s, n) => s with { OtherConnections = n }, 120, true),
        new(ShareUse, "", "how many tracked connections are whose", s => 2 * s.Endpoints + 4, (s, _) => s, 64, false),
        new(Share, "", "how many they may be", s => 2 * s.Endpoints + 4, (s, _) => s, 80, false),
        new(Fragment, "fragments", "fragmented packets under way", s => s.Fragments, (s, n) => s with { Fragments = n }, 104, true),
        new(Counter, "counters", "counters by pod, reason and direction", s => s.Counters, (s, n) => s with { Counters = n }, 80, true),
        new(RuleHit, "rule-hits", "policy rules that decided, by what became of the connection", s => s.RuleHits, (s, n) => s with { RuleHits = n }, 72, true),
        new(Reverse, "translations", "UDP sockets that talk to a service", s => s.Translations, (s, n) => s with { Translations = n }, 104, true),
        new(Affinity, "affinities", "clients of services that keep a client's backend", s => s.Affinities, (s, n) => s with { Affinities = n }, 88, true),
        new(NatBrief, "nat-brief", "connections to services, translated by packet, that open or are over, two rows each", s => s.NatBrief, (s, n) => s with { NatBrief = n }, 152, true),
        new(NatTcp, "nat-tcp", "established TCP connections to services that are translated by packet, two rows each", s => s.NatTcp, (s, n) => s with { NatTcp = n }, 152, true),
        new(NatAny, "nat-any", "UDP flows both ways to services that are translated by packet, two rows each", s => s.NatAny, (s, n) => s with { NatAny = n }, 152, true),
        new(NatFragment, "nat-fragments", "fragmented packets under way to services", s => s.NatFragments, (s, n) => s with { NatFragments = n }, 96, true),
    ];

    /// <summary>Those whose size the operator may set.</summary>
    public static IEnumerable<MapSpec> Sizable => All.Where(m => m.Option.Length > 0);

    /// <summary>By the name of the kernel map.</summary>
    public static MapSpec Of(string name) => All.Single(m => m.Name == name);
}

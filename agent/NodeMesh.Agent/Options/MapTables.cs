using NodeMesh.Datapath;

namespace NodeMesh.Agent.Options;

/// <summary>A kernel table whose size the operator may set.</summary>
/// <param name="RowBytes">About the kernel memory of one row.</param>
/// <param name="WhenLoaded">The memory is taken at start, not as rows come.</param>
internal sealed record MapTable(string Name, string Holds, int RowBytes, bool WhenLoaded, Func<MapSizes, uint> Get, Func<MapSizes, uint, MapSizes> With);

/// <summary>The names of --map-size.</summary>
internal static class MapTables
{
    public static readonly MapTable[] All =
    [
        new("identities", "addresses and CIDR blocks with their identity", 96, false, s => s.Identities, (s, n) => s with { Identities = n }),
        new("backends", "backends of services", 96, false, s => s.Backends, (s, n) => s with { Backends = n }),
        new("slots", "places of backends in services", 80, false, s => s.Slots, (s, n) => s with { Slots = n }),
        new("frontends", "service addresses and ports", 96, false, s => s.Frontends, (s, n) => s with { Frontends = n }),
        new("classes", "peers told apart by policy sets", 80, false, s => s.Classes, (s, n) => s with { Classes = n }),
        new("verdicts", "verdicts by class, protocol and port range", 96, false, s => s.Verdicts, (s, n) => s with { Verdicts = n }),
        new("endpoints", "pods of this node", 80, false, s => s.Endpoints, (s, n) => s with { Endpoints = n }),
        new("pods", "addresses of pods of this node", 96, false, s => s.Pods, (s, n) => s with { Pods = n }),
        new("connections", "tracked connections", 112, true, s => s.Connections, (s, n) => s with { Connections = n }),
        new("fragments", "fragmented packets under way", 104, true, s => s.Fragments, (s, n) => s with { Fragments = n }),
        new("counters", "counters by pod, reason and direction", 80, true, s => s.Counters, (s, n) => s with { Counters = n }),
        new("translations", "UDP sockets that talk to a service", 104, true, s => s.Translations, (s, n) => s with { Translations = n }),
    ];

    public static MapTable? Find(string name) => All.FirstOrDefault(t => t.Name == name);
}

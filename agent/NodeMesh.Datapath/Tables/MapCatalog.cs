namespace NodeMesh.Datapath.Tables;

/// <param name="Name">Of the kernel map.</param>
/// <param name="Option">What raises its size, as the operator writes it; empty when the size is fixed.</param>
/// <param name="RowBytes">About what one row costs in kernel memory; for tables allocated whole, also when empty.</param>
/// <param name="Preallocated">Takes its memory at load.</param>
internal sealed record MapSpec(string Name, string Option, Func<MapSizes, uint> Size, int RowBytes, bool Preallocated);

/// <summary>Every kernel map. The agent's tables come first, in the order of writing (and, backwards, of removal).</summary>
internal static class MapCatalog
{
    public const string Identity = "nm_identity";
    public const string Backend = "nm_backend";
    public const string Slot = "nm_slot";
    public const string Frontend = "nm_frontend";
    public const string Class = "nm_class";
    public const string Verdict = "nm_verdict";
    public const string Endpoint = "nm_endpoint";
    public const string Pod = "nm_pod";
    public const string Epoch = "nm_epoch";
    public const string Counter = "nm_counter";
    public const string Connection = "nm_ct";
    public const string Fragment = "nm_fragment";
    public const string Reverse = "nm_reverse";

    public static readonly MapSpec[] All =
    [
        new(Identity, "identities", s => s.Identities, 96, false),
        new(Backend, "backends", s => s.Backends, 96, false),
        new(Slot, "slots", s => s.Slots, 80, false),
        new(Frontend, "frontends", s => s.Frontends, 96, false),
        new(Class, "classes", s => s.Classes, 80, false),
        new(Verdict, "verdicts", s => s.Verdicts, 96, false),
        new(Endpoint, "endpoints", s => s.Endpoints, 80, false),
        new(Pod, "pods", s => s.Pods, 96, false),
        new(Epoch, "", _ => 1, 8, true),
        new(Connection, "connections", s => s.Connections, 112, true),
        new(Fragment, "fragments", s => s.Fragments, 104, true),
        new(Counter, "counters", s => s.Counters, 80, true),
        new(Reverse, "translations", s => s.Translations, 104, true),
    ];

    public static MapSpec Of(string name) => All.Single(m => m.Name == name);
}

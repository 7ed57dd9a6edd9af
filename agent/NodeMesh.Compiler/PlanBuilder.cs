using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler;

/// <summary>What the stages fill in; each stage writes only its own members.</summary>
internal sealed class PlanBuilder(MeshSnapshot mesh, NodeFacts node, MeshPlan previous)
{
    private readonly HashSet<Diagnostic> _diagnostics = [.. mesh.Diagnostics];

    // Addresses and identities that the proxy may dial in a pod's name.
    private readonly HashSet<IpAddr> _dialledAddresses = [];
    private readonly HashSet<uint> _dialledIdentities = [];

    /// <summary>What the proxy has now, so that what is equal need not be a new object.</summary>
    public ProxyPlan Previous => previous.Proxy;

    public ImmutableDictionary<BackendKey, BackendEntry>.Builder Backends { get; } = ImmutableDictionary.CreateBuilder<BackendKey, BackendEntry>();
    public ImmutableDictionary<SlotKey, SlotEntry>.Builder Slots { get; } = ImmutableDictionary.CreateBuilder<SlotKey, SlotEntry>();
    public ImmutableDictionary<FrontendKey, FrontendEntry>.Builder Frontends { get; } = ImmutableDictionary.CreateBuilder<FrontendKey, FrontendEntry>();
    public ImmutableDictionary<ClassKey, ClassEntry>.Builder Classes { get; } = ImmutableDictionary.CreateBuilder<ClassKey, ClassEntry>();
    public ImmutableDictionary<VerdictKey, VerdictEntry>.Builder Verdicts { get; } = ImmutableDictionary.CreateBuilder<VerdictKey, VerdictEntry>();
    public Dictionary<VerdictKey, HttpPolicyPlan> Http { get; } = [];
    public List<EndpointPlan> Endpoints { get; } = [];
    public Dictionary<ServiceAddress, ServicePlan> Services { get; } = [];
    public List<GatewayPlan> Gateways { get; } = [];
    public Dictionary<uint, string> PolicySetNames { get; } = [];
    public Dictionary<uint, string> ServiceNames { get; } = [];

    public void Report(
        string code, Severity severity, ObjectRef about, string fieldPath, string message, string consequence, SourceLocation? location) =>
        _diagnostics.Add(new Diagnostic(code, severity, about, fieldPath, message, consequence, location));

    public void MayBeDialled(IpAddr address) => _dialledAddresses.Add(address);

    public void MayBeDialled(uint identity) => _dialledIdentities.Add(identity);

    public MeshPlan Build(Identities.IdentityTable identities)
    {
        var names = new PlanNames(
            identities.All.ToImmutableSortedDictionary(i => i.Id, i => i.Name),
            PolicySetNames.ToImmutableSortedDictionary(),
            ServiceNames.ToImmutableSortedDictionary());
        var kernel = new KernelPlan(
            IdentityRows(identities),
            Backends.ToImmutable(),
            Slots.ToImmutable(),
            Frontends.ToImmutable(),
            Classes.ToImmutable(),
            Verdicts.ToImmutable(),
            [.. Endpoints.OrderBy(e => e.Name)]);
        return PlanReuse.Combine(mesh.Revision, kernel, this, node, names, Diagnostics(), previous);
    }

    private ImmutableDictionary<IdentityKey, IdentityEntry> IdentityRows(Identities.IdentityTable identities)
    {
        var rows = ImmutableDictionary.CreateBuilder<IdentityKey, IdentityEntry>();
        foreach (var address in _dialledAddresses)
            AddRow(IpPrefix.Host(address), identities.Of(address));
        foreach (var (prefix, identity) in identities.Rows)
            AddRow(prefix, identity);
        return rows.ToImmutable();

        void AddRow(IpPrefix prefix, uint identity)
        {
            var dialled = _dialledIdentities.Contains(identity) || (prefix.Bits == 128 && _dialledAddresses.Contains(prefix.Address));
            rows[new IdentityKey { PrefixBits = (uint)prefix.Bits, Addr = Addr.From(prefix.Address) }] =
                new IdentityEntry { Identity = identity, Flags = dialled ? (uint)IdentityFlag.Backend : 0 };
        }
    }

    private ImmutableArray<Diagnostic> Diagnostics() =>
        [.. _diagnostics.OrderBy(d => d.Object.Kind, StringComparer.Ordinal).ThenBy(d => d.Object.Name).ThenBy(d => d.FieldPath, StringComparer.Ordinal)
            .ThenBy(d => d.Code, StringComparer.Ordinal).ThenBy(d => d.Message, StringComparer.Ordinal).ThenBy(d => d.ToString(), StringComparer.Ordinal)];
}

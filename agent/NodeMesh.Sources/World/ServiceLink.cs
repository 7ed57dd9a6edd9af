using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>
/// Services with their backends: from their slices, or, where none is given, from their selector as the endpoint controller would. Only those are linked anew
/// that something which changed belongs to.
/// </summary>
internal sealed class ServiceLink
{
    private readonly Dictionary<ObjectName, Service> _byName = [];
    private readonly Dictionary<ObjectName, Entry<ServiceDraft>> _drafts = [];
    private readonly Dictionary<ObjectName, SortedDictionary<ObjectName, SliceDraft>> _slices = [];
    private readonly Dictionary<ObjectName, ObjectName> _serviceOfSlice = [];
    private readonly SelectorIndex _selectors = new();
    private readonly PodIndex _pods = new();
    private Dictionary<string, string> _zones = new(StringComparer.Ordinal);
    private ImmutableArray<Workload> _workloads = [];
    private ImmutableArray<MeshNode> _nodes = [];
    private ImmutableArray<Service> _last = [];

    public Findings<ObjectName> Findings { get; } = new();

    public IReadOnlyDictionary<ObjectName, Service> ByName => _byName;

    /// <summary>At the last run a service came or went, or something changed that routes refer to.</summary>
    public bool FacesChanged { get; private set; }

    public ImmutableArray<Service> Run(Gathered gathered, ImmutableArray<Workload> workloads, ImmutableArray<MeshNode> nodes)
    {
        var touched = new HashSet<ObjectName>();
        foreach (var name in gathered.Changed(Kinds.Service))
            TakeDraft(name, gathered.Find<ServiceDraft>(Kinds.Service, name), touched);
        foreach (var name in gathered.Changed(Kinds.EndpointSlice))
            TakeSlice(name, gathered.Find<SliceDraft>(Kinds.EndpointSlice, name)?.Value, touched);
        foreach (var (old, next) in SortedLists.Difference(_workloads, workloads, w => w.Name))
            TakePod(old, next, touched);
        _workloads = workloads;
        TakeNodes(nodes, touched);

        FacesChanged = false;
        var changes = new SortedDictionary<ObjectName, Service?>();
        foreach (var name in touched)
            changes.Add(name, Link(name));
        return _last = Merge.Into(_last, changes, s => s.Name);
    }

    private void TakeDraft(ObjectName name, Entry<ServiceDraft>? entry, HashSet<ObjectName> touched)
    {
        touched.Add(name);
        if (_drafts.Remove(name, out var old) && old.Value.Selector is { } was)
            _selectors.Remove(name, was);
        if (entry is not { } next)
            return;
        _drafts.Add(name, next);
        if (next.Value.Selector is { } selector)
            _selectors.Add(name, selector);
    }

    private void TakeSlice(ObjectName name, SliceDraft? slice, HashSet<ObjectName> touched)
    {
        if (_serviceOfSlice.Remove(name, out var before))
        {
            touched.Add(before);
            _slices[before].Remove(name);
            if (_slices[before].Count == 0)
                _slices.Remove(before);
        }

        if (slice is null)
            return;
        touched.Add(slice.Service);
        _serviceOfSlice.Add(name, slice.Service);
        if (!_slices.TryGetValue(slice.Service, out var own))
            _slices.Add(slice.Service, own = []);
        own.Add(name, slice);
    }

    private void TakePod(Workload? old, Workload? next, HashSet<ObjectName> touched)
    {
        if (old is not null)
        {
            _pods.Remove(old);
            touched.UnionWith(_selectors.Matching(old));
        }

        if (next is not null)
        {
            _pods.Add(next);
            touched.UnionWith(_selectors.Matching(next));
        }
    }

    private void TakeNodes(ImmutableArray<MeshNode> nodes, HashSet<ObjectName> touched)
    {
        if (nodes == _nodes)
            return;
        _nodes = nodes;
        var zones = nodes.Where(n => n.Labels.ContainsKey(EndpointDerivation.ZoneLabel)).ToDictionary(n => n.Name, n => n.Labels[EndpointDerivation.ZoneLabel], StringComparer.Ordinal);
        if (zones.Count == _zones.Count && zones.All(z => _zones.TryGetValue(z.Key, out var zone) && zone == z.Value))
            return;
        _zones = zones;
        touched.UnionWith(_drafts.Where(d => d.Value.Value.Selector is not null).Select(d => d.Key));
    }

    private Service? Link(ObjectName name)
    {
        var old = _byName.GetValueOrDefault(name);
        var next = _drafts.TryGetValue(name, out var entry) && !entry.Value.IsForeign ? Link(entry.Value, entry.Source, old) : null;
        if (next is null)
        {
            _byName.Remove(name);
            Findings.Set(name, []);
        }
        else
        {
            _byName[name] = next;
        }

        FacesChanged |= old is null || next is null ? !ReferenceEquals(old, next) : !HasSameFace(old, next);
        return next;
    }

    private static bool HasSameFace(Service a, Service b) => (a.ClusterIps.Length == 0) == (b.ClusterIps.Length == 0)
        && a.Ports.Select(p => (p.Name, p.Port, p.Protocol, p.AppProtocol)).SequenceEqual(b.Ports.Select(p => (p.Name, p.Port, p.Protocol, p.AppProtocol)));

    private Service Link(ServiceDraft draft, ObjectSite source, Service? old)
    {
        var slices = _slices.GetValueOrDefault(draft.Name);
        var pods = slices is null && draft.Selector is { } selector ? _pods.Matching(draft.Name.Namespace, selector) : [];
        var findings = new List<Diagnostic>();
        var ports = ImmutableArray.CreateBuilder<ServicePort>(draft.Ports.Length);
        foreach (var p in draft.Ports)
        {
            var backends = slices is not null ? EndpointDerivation.FromSlices(slices.Values, p) : EndpointDerivation.FromPods(pods, p, draft, _zones);
            if (p.TargetName is { } target && pods.Count > 0 && pods.TrueForAll(w => EndpointDerivation.Target(w, p) is null))
                findings.Add(new Diagnostic("unknown-target-port", Severity.Warning, source.Ref, $"spec.ports[{p.Index}].targetPort",
                    $"no selected pod has a {p.Protocol.ToString().ToUpperInvariant()} container port named '{target}', the target of port {p.Port}; name one so or give the number",
                    "the port has no backend", source.Location));
            ports.Add(Reuse(old, new ServicePort(p.Name, p.Protocol, p.Port, p.AppProtocol, backends) { NodePort = p.NodePort, Index = p.Index }));
        }

        Findings.Set(draft.Name, findings);
        var next = draft.Service with { Ports = ports.MoveToImmutable() };
        return old is not null && old == next with { Ports = old.Ports } && SamePorts(old, next) ? old : next;
    }

    /// <summary>Fields compare by reference where they are lists, which come from the draft: the same draft makes the same service.</summary>
    private static bool SamePorts(Service a, Service b)
    {
        if (a.Ports.Length != b.Ports.Length)
            return false;
        for (var i = 0; i < a.Ports.Length; i++)
            if (!ReferenceEquals(a.Ports[i], b.Ports[i]))
                return false;
        return true;
    }

    private static ServicePort Reuse(Service? old, ServicePort next)
    {
        foreach (var port in old?.Ports ?? [])
            if (port.Port == next.Port && port.Protocol == next.Protocol)
                return port == next with { Backends = port.Backends } && port.Backends.AsSpan().SequenceEqual(next.Backends.AsSpan()) ? port : next;
        return next;
    }
}

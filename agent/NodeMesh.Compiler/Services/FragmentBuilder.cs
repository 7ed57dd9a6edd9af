using System.Collections.Immutable;
using System.Text;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Services;

/// <summary>Gathers what one source wants, and what is wrong with it.</summary>
internal sealed class FragmentBuilder(SourceKey source, SourceLocation? location, NodeView node, ImmutableHashSet<BusyPort> busy)
{
    /// <summary>Says something about callers from outside, of whom loopback has none.</summary>
    private const FrontendFlag ForOutside = FrontendFlag.KeepSource | FrontendFlag.DropOutside;

    private readonly List<FrontendDraft> _wanted = [];
    private readonly HashSet<FrontendKey> _keys = [];
    private readonly List<Diagnostic> _findings = [];

    public Fragment Build(DateTimeOffset? createdAt, object origin) => new(
        new Claimant(createdAt ?? DateTimeOffset.MaxValue, source), origin, location, [.. _wanted], [.. _findings.Distinct()]);

    public void Report(string code, Severity severity, string field, string message, string consequence) =>
        _findings.Add(new Diagnostic(code, severity, new ObjectRef(source.Kind.ToString(), source.Name), field, message, consequence, location));

    /// <summary>An address that stands twice counts once.</summary>
    public void Add(
        IpAddr address, ushort number, Protocol protocol, FrontendKind kind, PortDraft port, FrontendFlag flags, GroupDraft inside, GroupDraft outside,
        RangesDraft? ranges, string field)
    {
        var key = new FrontendKey { Addr = Addr.From(address), PortBe = Be16.FromHost(number), Proto = (byte)protocol };
        if (_keys.Add(key))
            _wanted.Add(new FrontendDraft(key, kind, port, flags, inside, outside, ranges, field));
    }

    /// <summary>A port of the node at each of the addresses, but where a process listens already.</summary>
    public void AddOnNode(
        IEnumerable<IpAddr> addresses, ushort number, Protocol protocol, FrontendKind kind, PortDraft port, FrontendFlag flags, GroupDraft inside, GroupDraft outside,
        string field)
    {
        if (number >= (ushort)Limit.ProxyPortFirst)
        {
            Report("reserved-port", Severity.Error, field,
                $"ports from {(uint)Limit.ProxyPortFirst} are kept for the proxy's own connections; choose a lower one than {number}", "the port is not served at the node's addresses");
            return;
        }

        var taken = new List<IpAddr>();
        foreach (var address in addresses)
        {
            if (IsBusy(address, number, protocol))
                taken.Add(address);
            else if (NodeView.Loopbacks.Contains(address))
                Add(address, number, protocol, kind, port, (flags & ~ForOutside) | FrontendFlag.NodePort | FrontendFlag.OnNode, inside, inside, null, field);
            else
                Add(address, number, protocol, kind, port, flags | FrontendFlag.NodePort, inside, outside, null, field);
        }

        if (taken.Count > 0)
            Report("port-in-use", Severity.Error, field, $"a process of this node listens on {Text(number, protocol)} already; stop it or choose another port",
                $"the process keeps the port at {string.Join(", ", taken)}");
    }

    public bool IsBusy(IpAddr address, ushort number, Protocol protocol) => busy.Count > 0
        && (busy.Contains(new BusyPort(protocol, address, number)) || busy.Contains(new BusyPort(protocol, default, number))
            || (address.IsIPv4 && busy.Contains(new BusyPort(protocol, IpAddr.FromIPv4(0), number))));

    public GroupDraft Group(PortDraft port, ImmutableArray<Backend> backends, Protocol protocol, Balancing balancing, string field)
    {
        if (backends.Length == 0)
            return GroupDraft.Nobody;
        if (backends.Length > Limit.MaxBackendsPerService)
        {
            Report("too-many-backends", Severity.Error, field,
                $"{backends.Length} backends are more than the {Limit.MaxBackendsPerService} that a service port can have; split the service",
                $"connections go to the first {Limit.MaxBackendsPerService} by address");
            backends = backends[..Limit.MaxBackendsPerService];
        }

        var table = balancing == Balancing.Maglev ? node.TableSize : 0;
        if (table > 0 && backends.Length > table)
            Report("too-many-backends", Severity.Warning, field,
                $"{backends.Length} backends are more than the Maglev table's {table} places; raise --maglev-table-size", "some backends take no connection");
        var drafts = backends.Select(b => BackendDraft.Of(b.Address, b.Port, protocol)).ToImmutableArray();
        var text = new StringBuilder("group ").Append(port.Name).Append(" maglev ").Append(table);
        foreach (var d in drafts)
            text.Append(' ').Append(d.Hash.Hi).Append(':').Append(d.Hash.Lo);
        return new GroupDraft(ContentHash.Of(text.ToString()), drafts, table);
    }

    public static string Text(ushort number, Protocol protocol) => $"port {number}/{protocol.ToString().ToUpperInvariant()}";
}

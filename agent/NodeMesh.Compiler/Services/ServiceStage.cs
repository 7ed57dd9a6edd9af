using System.Collections.Immutable;
using NodeMesh.Compiler.Routes;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Services;

/// <summary>A cluster address and TCP port whose requests the proxy serves.</summary>
internal readonly record struct L7Frontend(IpAddr Address, ServicePortName Port);

/// <summary>Load balancing in the kernel: a frontend for each cluster address and port, and slots over the backends of its family.</summary>
internal static class ServiceStage
{
    public static List<L7Frontend> Run(MeshSnapshot mesh, RouteAttachments attachments, PlanBuilder plan)
    {
        var drafts = Drafts(mesh, plan);
        var services = ContentIds.Assign(drafts.Select(d => d.IdText), first: 1);
        var backends = ContentIds.Assign(drafts.SelectMany(d => d.Backends).Distinct().Select(b => b.ToString()), first: 1);
        var ids = new Dictionary<BackendAddress, uint>();
        var l7 = new List<L7Frontend>();

        foreach (var draft in drafts)
        {
            var isL7 = draft.Port.Protocol == Protocol.Tcp && attachments.Of(draft.PortName).Length > 0;
            var service = services[draft.IdText];
            var group = new Group { Id = service, Slots = (uint)draft.Backends.Length };
            plan.ServiceNames[service] = draft.Name;
            plan.Frontends.Add(
                new FrontendKey { Addr = Addr.From(draft.Address), PortBe = Be(draft.Port.Port), Proto = (byte)draft.Port.Protocol },
                new FrontendEntry { Service = service, Inside = group, Outside = group, Flags = isL7 ? (uint)FrontendFlag.L7 : 0 });
            for (var slot = 0; slot < draft.Backends.Length; slot++)
            {
                var backend = draft.Backends[slot];
                if (!ids.TryGetValue(backend, out var id))
                {
                    ids.Add(backend, id = backends[backend.ToString()]);
                    plan.Backends.Add(new BackendKey { Backend = id }, new BackendEntry { Addr = Addr.From(backend.Address), PortBe = Be(backend.Port), Proto = (byte)backend.Protocol });
                }

                plan.Slots[new SlotKey { Group = service, Slot = (uint)slot }] = new SlotEntry { Backend = id };
            }

            if (isL7)
                l7.Add(new L7Frontend(draft.Address, draft.PortName));
        }

        return l7;
    }

    private static List<Draft> Drafts(MeshSnapshot mesh, PlanBuilder plan)
    {
        var drafts = new List<Draft>();
        var owners = new Dictionary<(IpAddr, ushort, Protocol), ObjectName>();
        foreach (var service in mesh.Services)
        {
            var about = new ObjectRef("Service", service.Name);
            for (var i = 0; i < service.Ports.Length; i++)
            {
                var port = service.Ports[i];
                var field = $"spec.ports[{i}]";
                if (port.Protocol is not (Protocol.Tcp or Protocol.Udp))
                {
                    plan.Report("unsupported-protocol", Severity.Warning, about, $"{field}.protocol",
                        $"{port.Protocol.ToString().ToUpperInvariant()} service ports are not balanced", "the port is left out", service.Location);
                    continue;
                }

                foreach (var address in service.ClusterIps.Distinct())
                {
                    if (!owners.TryAdd((address, port.Port, port.Protocol), service.Name))
                    {
                        var owner = owners[(address, port.Port, port.Protocol)];
                        plan.Report("port-clash", Severity.Error, about, $"{field}.port",
                            $"{address}, port {port.Port}/{port.Protocol.ToString().ToUpperInvariant()}, is already that of Service {owner}",
                            $"Service {owner} keeps it", service.Location);
                        continue;
                    }

                    drafts.Add(new Draft(service.Name, port, address, BackendsOf(port, address, about, field, service.Location, plan)));
                }
            }
        }

        return drafts;
    }

    private static ImmutableArray<BackendAddress> BackendsOf(
        ServicePort port, IpAddr address, ObjectRef about, string field, SourceLocation? location, PlanBuilder plan)
    {
        ImmutableArray<BackendAddress> backends =
            [.. port.Backends.Where(b => b.Address.IsIPv4 == address.IsIPv4).Select(b => new BackendAddress(b.Address, b.Port, port.Protocol)).Distinct()];
        if (backends.Length <= Limit.MaxBackendsPerService)
            return backends;
        plan.Report("too-many-backends", Severity.Error, about, field,
            $"{backends.Length} backends are more than the {Limit.MaxBackendsPerService} that a service port can have; split the service",
            $"connections go to the first {Limit.MaxBackendsPerService} by address", location);
        return backends[..Limit.MaxBackendsPerService];
    }

    private static Plan.Be16 Be(ushort port) => Plan.Be16.FromHost(port);

    private readonly record struct BackendAddress(IpAddr Address, ushort Port, Protocol Protocol)
    {
        public override string ToString() => $"backend {Address} {Port} {(byte)Protocol}";
    }

    private sealed record Draft(ObjectName Service, ServicePort Port, IpAddr Address, ImmutableArray<BackendAddress> Backends)
    {
        public ServicePortName PortName => new(Service, Port.Port);

        public string Name => $"{Service}:{Port.Port}/{Port.Protocol.ToString().ToUpperInvariant()}";

        // Slots are of one family, so a service with two addresses needs two numbers.
        public string IdText => $"service {Name} {(Address.IsIPv4 ? "IPv4" : "IPv6")}";
    }
}

using System.Collections.Immutable;
using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Unit.Tests.Compiler;

public sealed class ServiceDiagnosticsTests
{
    private static readonly NodeFacts s_node = new("here", [IpAddr.Parse("192.0.2.1"), IpAddr.Parse("198.51.100.1")], []);

    private static MeshSnapshot Mesh(params Service[] services) => MeshSnapshot.Empty with { Services = [.. services.OrderBy(s => s.Name)] };

    private static Service NodePort(string name, ushort nodePort, int backends = 1) =>
        new(new ObjectName("shop", name), [IpAddr.FromIPv4(0x0a600000u + nodePort)],
        [
            new ServicePort("", Protocol.Tcp, 80, "", [.. Enumerable.Range(1, backends).Select(i => new Backend(IpAddr.FromIPv4(0x0a000000u + (uint)i), 8080, "there"))]) { NodePort = nodePort },
        ])
        { Type = ServiceType.NodePort };

    private static IEnumerable<string> NodePorts(MeshPlan plan) => plan.Kernel.Frontends.Where(f => ((FrontendFlag)f.Value.Flags).HasFlag(FrontendFlag.NodePort))
        .Select(f => $"{f.Key.Addr}:{f.Key.PortBe}").Order(StringComparer.Ordinal);

    [Test]
    public void A_node_port_that_a_process_listens_on_is_left_to_it_until_it_goes()
    {
        var mesh = Mesh(NodePort("web", 30080));
        var busy = s_node with { BusyPorts = [new BusyPort(Protocol.Tcp, IpAddr.Parse("192.0.2.1"), 30080), new BusyPort(Protocol.Udp, default, 30080)] };
        var plan = MeshCompiler.Compile(mesh, busy);
        Assert.That(NodePorts(plan), Is.EqualTo((string[])["127.0.0.1:30080", "198.51.100.1:30080"]));
        Assert.That((plan.Diagnostics.Single().Code, plan.Diagnostics.Single().FieldPath), Is.EqualTo(("port-in-use", "spec.ports[0].nodePort")));

        plan = MeshCompiler.Compile(mesh, s_node, plan);
        Assert.That(NodePorts(plan).Count(), Is.EqualTo(3));
        Assert.That(plan.Diagnostics, Is.Empty);
        Assert.That(NodePorts(MeshCompiler.Compile(mesh, s_node with { BusyPorts = [new BusyPort(Protocol.Tcp, default, 30080)] }, plan)), Is.Empty, "a process on ::");
    }

    [Test]
    public void Node_ports_are_served_at_the_addresses_that_the_operator_chose()
    {
        var plan = MeshCompiler.Compile(Mesh(NodePort("web", 30080)), s_node with { NodePortBlocks = [IpPrefix.Parse("192.0.2.0/24")] });
        Assert.That(NodePorts(plan), Is.EqualTo((string[])["192.0.2.1:30080"]));
    }

    [Test]
    public void Beside_kube_proxy_only_cluster_addresses_are_served()
    {
        var mesh = Mesh(NodePort("web", 30080) with { ExternalIps = [IpAddr.Parse("203.0.113.7")], LoadBalancerIps = [IpAddr.Parse("203.0.113.8")] });
        var alone = MeshCompiler.Compile(mesh, s_node);
        Assert.That(alone.Kernel.Frontends.Count, Is.EqualTo(1 + 3 + 2));
        var beside = MeshCompiler.Compile(mesh, s_node with { ReplacesKubeProxy = false }, alone);
        Assert.That(beside.Kernel.Frontends.Select(f => f.Key.Addr.ToString()), Is.EqualTo(new[] { mesh.Services[0].ClusterIps[0].ToString() }));
        Assert.That(MeshCompiler.Compile(mesh, s_node, beside).Kernel.Frontends.Count, Is.EqualTo(1 + 3 + 2));
    }

    [Test]
    public void Two_services_that_want_one_node_port_are_told_and_the_first_keeps_it()
    {
        var first = NodePort("a", 30080);
        var second = NodePort("b", 30080) with { ClusterIps = [IpAddr.Parse("10.96.9.9")] };
        var plan = MeshCompiler.Compile(Mesh(second), s_node);
        plan = MeshCompiler.Compile(Mesh(first, second), s_node, plan);
        var clash = plan.Diagnostics.Single();
        Assert.That((clash.Code, clash.Object.Name.Name, clash.Consequence), Is.EqualTo(("port-clash", "b", "Service shop/a keeps it")));
        Assert.That(plan.Kernel.Frontends.Count, Is.EqualTo(3 + 2), "both cluster addresses, and the node port once");
        plan = MeshCompiler.Compile(Mesh(second), s_node, plan);
        Assert.That((plan.Diagnostics.Length, plan.Kernel.Frontends.Count), Is.EqualTo((0, 4)));
    }

    [Test]
    public void More_backends_than_fit_are_told_and_the_first_by_address_serve()
    {
        var plan = MeshCompiler.Compile(Mesh(NodePort("web", 30080, Limit.MaxBackendsPerService + 5)), s_node);
        Assert.That(plan.Diagnostics.Single().Code, Is.EqualTo("too-many-backends"));
        Assert.That(plan.Kernel.Slots.Count, Is.EqualTo(Limit.MaxBackendsPerService));
    }

    [Test]
    public void A_pods_readiness_is_no_matter_of_policy()
    {
        var pod = new Workload(new ObjectName("shop", "p"), ImmutableSortedDictionary<string, string>.Empty, [IpAddr.Parse("10.0.0.1")], [], "here", false, true, false, default);
        var mesh = MeshSnapshot.Empty with { Workloads = [pod] };
        var plan = MeshCompiler.Compile(mesh, s_node);
        var next = MeshCompiler.Compile(mesh with { Workloads = [pod with { Ready = false }] }, s_node, plan);
        Assert.That(next.Kernel, Is.SameAs(plan.Kernel));
        Assert.That(MeshCompiler.Compile(mesh with { Workloads = [pod with { Addresses = [IpAddr.Parse("10.0.0.2")] }] }, s_node, next).Kernel.Identities,
            Is.Not.SameAs(plan.Kernel.Identities));
    }
}

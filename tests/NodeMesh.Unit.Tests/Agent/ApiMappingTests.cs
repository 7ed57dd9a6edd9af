using NodeMesh.Agent.Api;
using NodeMesh.Agent.Output;
using NodeMesh.Compiler;
using NodeMesh.Datapath;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;
using NodeMesh.Sources;

namespace NodeMesh.Unit.Tests.Agent;

public class ApiMappingTests
{
    private MeshSnapshot _snapshot = null!;
    private MeshPlan _plan = null!;

    [OneTimeSetUp]
    public void ReadTheExamples()
    {
        var files = Directory.GetFiles(Path.Combine(RepositoryRoot.Path, "deploy", "examples"), "*.yaml").Select(f => (f, File.ReadAllText(f))).ToArray();
        _snapshot = ManifestReader.Read(files).Snapshot;
        _plan = MeshCompiler.Compile(_snapshot, new NodeFacts("n1", [], []));
    }

    private static readonly Dictionary<(IpAddr, ushort, byte), int> s_connections = [];

    private static ReconcileReport Report(params EndpointStatus[] endpoints) => new(1, 0, 0, 0, 0, 0, 0, TimeSpan.Zero, [], [], [.. endpoints], []);

    [Test]
    public void An_endpoint_shows_its_policies_traffic_and_state()
    {
        var report = Report(new EndpointStatus(new ObjectName("shop", "web-1"), 7, true, ""), new EndpointStatus(new ObjectName("shop", "client"), 0, false, "no such namespace"));
        CounterRow[] counters =
        [
            new(7, Reason.Forwarded, Direction.Ingress, 10, 1000), new(7, Reason.DefaultDeny, Direction.Ingress, 3, 300), new(8, Reason.Forwarded, Direction.Ingress, 99, 99),
        ];
        var reply = ApiMapping.Endpoints(_plan, report, counters);
        var web = reply.Endpoints.Single(e => e.Name == "web-1");
        Assert.That((web.State, web.Packets, web.Bytes, web.DroppedPackets, web.Ifindex), Is.EqualTo(("enforced", 10UL, 1000UL, 3UL, 7u)));
        Assert.That(web.Policies.Single(), Does.Contain("MeshPolicy shop/read-only"));
        Assert.That(reply.Endpoints.Single(e => e.Name == "client").State, Is.EqualTo("no such namespace"));
    }

    [Test]
    public void Before_the_first_round_endpoints_wait_for_the_data_path() =>
        Assert.That(ApiMapping.Endpoints(_plan, null, []).Endpoints.Select(e => e.State), Is.All.EqualTo("waiting for the data path"));

    [Test]
    public void A_service_with_a_route_is_the_proxys_and_one_without_the_kernels()
    {
        var services = ServiceMapping.Services(_snapshot, _plan, new NodeFacts("n1", [], []), s_connections).Services.ToDictionary(s => s.Name);
        Assert.That((services["web"].HandledBy, services["web"].Routes.Single()), Is.EqualTo(("proxy", "shop/split")));
        Assert.That(services["web-v1"].HandledBy, Is.EqualTo("kernel"));
    }

    [Test]
    public void A_backend_shows_how_many_connections_lead_to_it()
    {
        var backend = _snapshot.Services.Single(s => s.Name.Name == "web-v1").Ports[0].Backends[0];
        var open = new Dictionary<(IpAddr, ushort, byte), int> { [(backend.Address, backend.Port, 6)] = 3, [(backend.Address, backend.Port, 17)] = 9 };
        var reply = ServiceMapping.Services(_snapshot, _plan, new NodeFacts("n1", [], []), open);
        Assert.That(reply.Services.Single(s => s.Name == "web-v1").Endpoints[0].Connections, Is.EqualTo(3));
        Assert.That(ServiceTable.Of(reply), Does.Contain("3 open"));
    }

    [Test]
    public void A_policy_names_the_pods_of_this_node_that_it_selects()
    {
        var policies = ApiMapping.Policies(_snapshot, _plan, []).Policies.ToDictionary(p => p.Name);
        Assert.That(policies["read-only"].Endpoints, Is.EqualTo((string[])["shop/web-1"]));
        Assert.That(policies["read-only"].ReadsRequests);
        Assert.That(policies["default-deny"].Endpoints, Is.EquivalentTo((string[])["shop/client", "shop/web-1"]));
    }

    [Test]
    public void What_rules_decided_stands_below_the_policies()
    {
        var reply = ApiMapping.Policies(_snapshot, _plan, [new RuleHit(7, Reason.PolicyDenied, 3), new RuleHit(7, Reason.AuditDenied, 2)]);
        Assert.That(reply.Hits.Select(h => (h.Reason, h.Connections)), Is.EqualTo(new[] { ("audit_denied", 2UL), ("policy_denied", 3UL) }));
        Assert.That(Tables.Policies(reply), Does.Contain("policy_denied   3"));
    }

    [Test]
    public void A_rule_is_shown_by_name_and_a_policy_with_its_place_in_the_order()
    {
        var rule = _plan.Names.Rules.First(r => r.Value.Contains("shop/read-only", StringComparison.Ordinal));
        var tiered = _snapshot with { Policies = [_snapshot.Policies[0] with { Tier = PolicyTier.Admin, Priority = 7 }, _snapshot.Policies[1] with { IsAudit = true }] };
        var reply = ApiMapping.Policies(tiered, _plan, [new RuleHit(rule.Key, Reason.Forwarded, 3)]);
        Assert.That(reply.Hits.Single().Rule, Is.EqualTo(rule.Value));
        Assert.That(reply.Policies.Select(p => (p.Tier, p.Priority, p.Audit)), Is.EqualTo(new[] { ("Admin", 7, false), ("Namespace", 0, true) }));
        Assert.That(Tables.Policies(reply), Does.Contain("Admin 7").And.Contain("audit").And.Contain("enforce"));
        Assert.That(ApiMapping.Policies(_snapshot, _plan, [], allAudit: true).Policies.Select(p => p.Audit), Is.All.True);
    }

    [Test]
    public void What_audit_notes_of_a_packet_makes_no_second_packet()
    {
        var report = Report(new EndpointStatus(new ObjectName("shop", "web-1"), 7, true, ""));
        CounterRow[] counters = [new(7, Reason.Forwarded, Direction.Ingress, 10, 1000), new(7, Reason.AuditDenied, Direction.Ingress, 4, 0), new(7, Reason.MapFull, Direction.Ingress, 1, 0)];
        Assert.That(ApiMapping.Endpoints(_plan, report, counters).Endpoints.Single(e => e.Name == "web-1").Packets, Is.EqualTo(10));
    }

    [Test]
    public void Json_has_the_fields_of_the_api_and_no_others()
    {
        var json = JsonText.Of(ServiceMapping.Services(_snapshot, _plan, new NodeFacts("n1", [], []), s_connections), JsonText.Default.ServicesReply);
        Assert.That(json, Does.Contain("\"handledBy\": \"proxy\"").And.Not.Contain("escriptor").And.Not.Contain("arser"));
    }

    [Test]
    public void A_table_is_as_wide_as_its_cells_and_keeps_control_characters_out()
    {
        var text = new TableText("A", "B").Row("long cell", "x\u001b[2J").Row("", "y").ToString();
        Assert.That(text, Is.EqualTo("A           B\nlong cell   x [2J\n-           y\n"));
    }
}

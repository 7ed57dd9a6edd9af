using NodeMesh.Model;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class PolicyTranslationTests
{
    private static Policy Network(string spec) => Manifests.Clean(Manifests.NetworkPolicy(spec)).Policies.Single();

    private static Policy Mesh(string spec) => Manifests.Clean(Manifests.MeshPolicy(spec)).Policies.Single();

    [TestCase("{podSelector: {}}", true, false, 0, 0)]
    [TestCase("{podSelector: {}, policyTypes: []}", true, false, 0, 0)]
    [TestCase("{podSelector: {}, ingress: []}", true, false, 0, 0)]
    [TestCase("{podSelector: {}, ingress: [{}]}", true, false, 1, 0)]
    [TestCase("{podSelector: {}, egress: []}", true, false, 0, 0)]
    [TestCase("{podSelector: {}, egress: [{}]}", true, true, 0, 1)]
    [TestCase("{podSelector: {}, policyTypes: [Egress]}", false, true, 0, 0)]
    [TestCase("{podSelector: {}, policyTypes: [Ingress, Egress]}", true, true, 0, 0)]
    public void Policy_types_default_as_in_the_api_server(string spec, bool ingress, bool egress, int ingressRules, int egressRules)
    {
        var p = Network(spec);
        Assert.That((p.IsolatesIngress, p.IsolatesEgress, p.Ingress.Length, p.Egress.Length), Is.EqualTo((ingress, egress, ingressRules, egressRules)));
    }

    [Test]
    public void Rules_of_a_direction_that_is_not_in_policy_types_do_nothing_and_are_said()
    {
        var (mesh, codes, _) = Manifests.Read(Manifests.NetworkPolicy("{podSelector: {}, policyTypes: [Ingress], egress: [{}]}"));
        Assert.That(mesh.Policies.Single().Egress, Is.Empty);
        Assert.That(codes, Is.EqualTo(new[] { "idle-rules" }));
    }

    [Test]
    public void Missing_and_empty_peers_both_mean_everyone()
    {
        var p = Network("{podSelector: {}, ingress: [{from: []}, {}]}");
        Assert.That(p.Ingress.All(r => r.Peers.IsEmpty && r.Ports.IsEmpty && r.Action == PolicyAction.Allow));
    }

    [TestCase("{podSelector: {}}", "*", "shop", null)]
    [TestCase("{podSelector: {matchLabels: {a: b}}}", "a=b", "shop", null)]
    [TestCase("{namespaceSelector: {}}", "*", null, null)]
    [TestCase("{namespaceSelector: {matchLabels: {team: b}}}", "*", null, "team=b")]
    [TestCase("{namespaceSelector: {matchLabels: {team: b}}, podSelector: {matchLabels: {a: b}}}", "a=b", null, "team=b")]
    public void Selectors_of_a_peer_combine(string peer, string pods, string? ns, string? nsSelector)
    {
        var got = (PodPeer)Network($"{{podSelector: {{}}, ingress: [{{from: [{peer}]}}]}}").Ingress[0].Peers.Single();
        Assert.That((got.Pods.ToString(), got.Namespaces.Name, got.Namespaces.Selector?.ToString()), Is.EqualTo((pods, ns, nsSelector)));
    }

    [Test]
    public void Expressions_are_read_and_sorted()
    {
        var p = Network("{podSelector: {matchLabels: {z: '1'}, matchExpressions: [{key: b, operator: In, values: [x, w]}, {key: a, operator: DoesNotExist}, "
            + "{key: c, operator: NotIn, values: [q]}, {key: d, operator: Exists}]}}");
        Assert.That(p.Subject.ToString(), Is.EqualTo("!a,b in (w,x),c notin (q),d,z=1"));
    }

    [Test]
    public void Blocks_are_read_with_what_is_excepted()
    {
        var peer = (CidrPeer)Network("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.2.0.0/16, 10.1.0.0/16]}}]}]}").Ingress[0].Peers.Single();
        Assert.That(peer.Cidr.ToString(), Is.EqualTo("10.0.0.0/8"));
        Assert.That(peer.Except.Select(e => e.ToString()), Is.EqualTo(new[] { "10.1.0.0/16", "10.2.0.0/16" }));
    }

    [TestCase("{port: 80}", Protocol.Tcp, 80, 80, null)]
    [TestCase("{port: 53, protocol: UDP}", Protocol.Udp, 53, 53, null)]
    [TestCase("{port: 1000, endPort: 2000}", Protocol.Tcp, 1000, 2000, null)]
    [TestCase("{port: http}", Protocol.Tcp, 0, 0, "http")]
    [TestCase("{protocol: SCTP}", Protocol.Sctp, 0, 65535, null)]
    [TestCase("{}", Protocol.Tcp, 0, 65535, null)]
    public void Ports_are_read(string port, Protocol protocol, int first, int last, string? name)
    {
        var expected = new PortMatch(protocol, (ushort)first, (ushort)last, name);
        Assert.That(Network($"{{podSelector: {{}}, ingress: [{{ports: [{port}]}}]}}").Ingress[0].Ports.Single(), Is.EqualTo(expected));
    }

    [TestCase("{podSelector: {}, ingres: []}", "unknown-field", "spec.ingres")]
    [TestCase("{podSelector: {}, ingress: [{form: []}]}", "unknown-field", "spec.ingress[0].form")]
    [TestCase("{podSelector: {}, ingress: [{from: [{}]}]}", "missing-field", "spec.ingress[0].from[0]")]
    [TestCase("{podSelector: {}, ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}", "bad-value", "spec.ingress[0].from[0]")]
    [TestCase("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]}", "bad-cidr", "spec.ingress[0].from[0].ipBlock.cidr")]
    [TestCase("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}", "bad-cidr", "spec.ingress[0].from[0].ipBlock.except[0]")]
    [TestCase("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]}", "bad-cidr", "spec.ingress[0].from[0].ipBlock.except[0]")]
    [TestCase("{podSelector: {}, ingress: [{ports: [{port: 0}]}]}", "out-of-range", "spec.ingress[0].ports[0].port")]
    [TestCase("{podSelector: {}, ingress: [{ports: [{port: 65536}]}]}", "out-of-range", "spec.ingress[0].ports[0].port")]
    [TestCase("{podSelector: {}, ingress: [{ports: [{port: '80'}]}]}", "bad-name", "spec.ingress[0].ports[0].port")]
    [TestCase("{podSelector: {}, ingress: [{ports: [{port: Http}]}]}", "bad-name", "spec.ingress[0].ports[0].port")]
    [TestCase("{podSelector: {}, ingress: [{ports: [{port: 80, endPort: 79}]}]}", "out-of-range", "spec.ingress[0].ports[0].endPort")]
    [TestCase("{podSelector: {}, ingress: [{ports: [{endPort: 79}]}]}", "missing-field", "spec.ingress[0].ports[0].endPort")]
    [TestCase("{podSelector: {}, ingress: [{ports: [{port: http, endPort: 79}]}]}", "bad-value", "spec.ingress[0].ports[0].endPort")]
    [TestCase("{podSelector: {}, ingress: [{ports: [{protocol: tcp}]}]}", "bad-value", "spec.ingress[0].ports[0].protocol")]
    [TestCase("{podSelector: {}, ingress: {}}", "wrong-type", "spec.ingress")]
    [TestCase("{podSelector: {}, policyTypes: [Both]}", "bad-value", "spec.policyTypes[0]")]
    [TestCase("{podSelector: {matchLabels: {a: yes}}}", "wrong-type", "spec.podSelector.matchLabels.a")]
    [TestCase("{podSelector: {matchLabels: {a: 'b c'}}}", "bad-label", "spec.podSelector.matchLabels.a")]
    [TestCase("{podSelector: {matchExpressions: [{key: a, operator: In}]}}", "missing-field", "spec.podSelector.matchExpressions[0]")]
    [TestCase("{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [x]}]}}", "bad-value", "spec.podSelector.matchExpressions[0]")]
    [TestCase("{podSelector: {matchExpressions: [{key: a, operator: Is}]}}", "bad-value", "spec.podSelector.matchExpressions[0].operator")]
    public void A_faulty_network_policy_is_left_out_and_the_fault_named(string spec, string code, string path)
    {
        var (mesh, _, diagnostics) = Manifests.Read(Manifests.NetworkPolicy(spec));
        Assert.That(mesh.Policies, Is.Empty);
        Assert.That(diagnostics.Select(d => (d.Code, d.FieldPath, d.Severity, d.Consequence)), Is.EqualTo(new[] { (code, path, Severity.Error, "the object is left out") }));
    }

    [Test]
    public void A_policy_of_deny_rules_only_isolates_nothing()
    {
        var p = Mesh("{ingress: [{action: Deny, from: [{entity: world}]}], egress: [{to: [{entity: cluster}, {entity: host}]}]}");
        Assert.That((p.IsolatesIngress, p.IsolatesEgress), Is.EqualTo((false, true)));
        Assert.That(p.Egress[0].Peers.Cast<EntityPeer>().Select(e => e.Entity), Is.EqualTo(new[] { PolicyEntity.Cluster, PolicyEntity.Host }));
    }

    [TestCase("{policyTypes: [Ingress, Egress]}", true, true)]
    [TestCase("{policyTypes: [Egress], egress: [{action: Deny, to: [{entity: world}]}]}", false, true)]
    [TestCase("{policyTypes: [], ingress: [{}]}", true, false)]
    public void Policy_types_of_a_mesh_policy_say_what_it_isolates(string spec, bool ingress, bool egress)
    {
        var p = Mesh(spec);
        Assert.That((p.IsolatesIngress, p.IsolatesEgress, p.IsAudit), Is.EqualTo((ingress, egress, false)));
    }

    [Test]
    public void A_policy_under_audit_is_marked()
    {
        Assert.That(Mesh("{action: Audit, ingress: [{}]}").IsAudit);
        Assert.That(Mesh("{action: Enforce, ingress: [{}]}").IsAudit, Is.False);
    }

    [Test]
    public void Rules_are_named_by_their_place()
    {
        var p = Mesh("{ingress: [{}, {action: Deny, from: [{entity: world}]}], egress: [{}]}");
        Assert.That(p.Ingress.Concat(p.Egress).Select(r => r.Name), Is.EqualTo(new[] { "ingress[0]", "ingress[1]", "egress[0]" }));
    }

    [TestCase("{protocol: ICMP}", Protocol.Icmp, 0, 65535)]
    [TestCase("{protocol: ICMP, icmpType: EchoRequest}", Protocol.Icmp, 0x800, 0x8ff)]
    [TestCase("{protocol: ICMP, icmpType: 3, icmpCode: 4}", Protocol.Icmp, 0x304, 0x304)]
    [TestCase("{protocol: ICMPv6, icmpType: PacketTooBig, icmpCode: 0}", Protocol.Icmpv6, 0x200, 0x200)]
    [TestCase("{protocol: 58, icmpType: 128}", Protocol.Icmpv6, 0x8000, 0x80ff)]
    [TestCase("{protocol: 47}", (Protocol)47, 0, 65535)]
    [TestCase("{protocol: 132, port: 9}", Protocol.Sctp, 9, 9)]
    public void Ports_of_a_mesh_policy_are_also_icmp_and_protocols_by_number(string port, Protocol protocol, int first, int last) =>
        Assert.That(Mesh($"{{ingress: [{{ports: [{port}]}}]}}").Ingress[0].Ports.Single(), Is.EqualTo(new PortMatch(protocol, (ushort)first, (ushort)last, null)));

    [TestCase("host", PolicyEntity.Host)]
    [TestCase("remote-node", PolicyEntity.RemoteNode)]
    [TestCase("cluster", PolicyEntity.Cluster)]
    [TestCase("world", PolicyEntity.World)]
    [TestCase("all", PolicyEntity.All)]
    [TestCase("kube-apiserver", PolicyEntity.KubeApiserver)]
    public void Entities_are_read(string name, PolicyEntity entity) =>
        Assert.That(Mesh($"{{egress: [{{to: [{{entity: {name}}}]}}]}}").Egress[0].Peers.Single(), Is.EqualTo(new EntityPeer(entity)));

    [Test]
    public void Services_are_read_in_the_policys_own_namespace_unless_they_say_another()
    {
        var rule = Mesh("{egress: [{toServices: [{name: api}, {name: api, namespace: other}, {name: api}], http: [{methods: [GET]}]}]}").Egress[0];
        Assert.That(rule.Services, Is.EqualTo(new[] { new ObjectName("shop", "api"), new ObjectName("other", "api") }));
        Assert.That(rule.Peers.IsEmpty && rule.Ports.IsEmpty, "at the services' own ports");
    }

    [Test]
    public void Http_rules_are_read_and_stand_for_tcp_ports()
    {
        var p = Mesh("{ingress: [{http: [{methods: [get, POST], paths: [{type: Prefix, value: /a/}, {type: Exact, value: /b}, {type: Regex, value: '/c/[0-9]+'}], "
            + "hosts: ['*.Example.com'], headers: [{name: X-A, value: '1'}, {name: X-B, type: Present}, {name: X-C, type: Regex, value: 'a|b'}]}]}]}");
        var rule = p.Ingress.Single();
        Assert.That(rule.Ports, Is.EqualTo(new[] { new PortMatch(Protocol.Tcp, 0, 65535, null) }));
        var http = rule.Http.Single();
        Assert.That(http.Methods, Is.EqualTo(new[] { "GET", "POST" }));
        Assert.That(http.Paths, Is.EqualTo(new[] { new StringMatch(MatchType.PathPrefix, "/a"), new(MatchType.Exact, "/b"), new(MatchType.Regex, "/c/[0-9]+") }));
        Assert.That(http.Hosts, Is.EqualTo(new[] { "*.example.com" }));
        Assert.That(http.Headers, Is.EqualTo(new[] { new HeaderMatch("x-a", MatchType.Exact, "1"), new("x-b", MatchType.Present, ""), new("x-c", MatchType.Regex, "a|b") }));
    }

    [Test]
    public void A_cluster_policy_means_every_namespace_unless_it_selects()
    {
        var all = Manifests.Clean(Manifests.ClusterMeshPolicy("{ingress: [{from: [{podSelector: {matchLabels: {a: b}}}]}]}")).Policies.Single();
        Assert.That(all.Namespaces, Is.EqualTo(NamespaceMatch.All));
        Assert.That(((PodPeer)all.Ingress[0].Peers[0]).Namespaces, Is.EqualTo(NamespaceMatch.All));
        var some = Manifests.Clean(Manifests.ClusterMeshPolicy("{namespaceSelector: {matchLabels: {team: a}}, ingress: [{}]}")).Policies.Single();
        Assert.That(some.Namespaces.Selector!.ToString(), Is.EqualTo("team=a"));
    }

    [TestCase("{ingress: [{acton: Deny}]}", "unknown-field", "spec.ingress[0].acton")]
    [TestCase("{ingress: [{action: deny}]}", "bad-value", "spec.ingress[0].action")]
    [TestCase("{namespaceSelector: {}, ingress: [{}]}", "unknown-field", "spec.namespaceSelector")]
    [TestCase("{ingress: [{to: []}]}", "unknown-field", "spec.ingress[0].to")]
    [TestCase("{ingress: [{from: [{entity: everyone}]}]}", "bad-value", "spec.ingress[0].from[0].entity")]
    [TestCase("{ingress: [{from: [{entity: host, podSelector: {}}]}]}", "bad-value", "spec.ingress[0].from[0]")]
    [TestCase("{action: Log, ingress: [{}]}", "bad-value", "spec.action")]
    [TestCase("{policyTypes: [Both]}", "bad-value", "spec.policyTypes[0]")]
    [TestCase("{ingress: [{toServices: [{name: a}]}]}", "unknown-field", "spec.ingress[0].toServices")]
    [TestCase("{egress: [{toServices: [{namespace: a}]}]}", "missing-field", "spec.egress[0].toServices[0].name")]
    [TestCase("{ingress: [{ports: [{protocol: ICMP, icmpType: Ping}]}]}", "bad-value", "spec.ingress[0].ports[0].icmpType")]
    [TestCase("{ingress: [{ports: [{protocol: ICMP, icmpType: 256}]}]}", "out-of-range", "spec.ingress[0].ports[0].icmpType")]
    [TestCase("{ingress: [{ports: [{protocol: ICMP, icmpCode: 0}]}]}", "missing-field", "spec.ingress[0].ports[0].icmpCode")]
    [TestCase("{ingress: [{ports: [{protocol: ICMP, port: 8}]}]}", "bad-value", "spec.ingress[0].ports[0].port")]
    [TestCase("{ingress: [{ports: [{icmpType: 8}]}]}", "bad-value", "spec.ingress[0].ports[0].icmpType")]
    [TestCase("{ingress: [{ports: [{protocol: 0}]}]}", "out-of-range", "spec.ingress[0].ports[0].protocol")]
    [TestCase("{ingress: [{ports: [{protocol: 256}]}]}", "out-of-range", "spec.ingress[0].ports[0].protocol")]
    [TestCase("{ingress: [{ports: [{protocol: 47, port: 1}]}]}", "bad-value", "spec.ingress[0].ports[0].port")]
    [TestCase("{ingress: [{ports: [{protocol: ICMP}], http: [{methods: [GET]}]}]}", "bad-value", "spec.ingress[0].ports[0]")]
    [TestCase("{ingress: [{from: [{}]}]}", "missing-field", "spec.ingress[0].from[0]")]
    [TestCase("{ingress: [{ports: [{port: 53, protocol: UDP}], http: [{methods: [GET]}]}]}", "bad-value", "spec.ingress[0].ports[0]")]
    [TestCase("{ingress: [{http: [{}]}]}", "missing-field", "spec.ingress[0].http[0]")]
    [TestCase("{ingress: [{http: [{paths: [{type: Regex, value: '('}]}]}]}", "bad-regex", "spec.ingress[0].http[0].paths[0].value")]
    [TestCase("{ingress: [{http: [{paths: [{type: Regex, value: '(?=a)'}]}]}]}", "bad-regex", "spec.ingress[0].http[0].paths[0].value")]
    [TestCase("{ingress: [{http: [{paths: [{value: a}]}]}]}", "bad-value", "spec.ingress[0].http[0].paths[0].value")]
    [TestCase("{ingress: [{http: [{paths: [{value: /a/../b}]}]}]}", "bad-value", "spec.ingress[0].http[0].paths[0].value")]
    [TestCase("{ingress: [{http: [{methods: ['G T']}]}]}", "bad-value", "spec.ingress[0].http[0].methods[0]")]
    [TestCase("{ingress: [{http: [{hosts: ['a:80']}]}]}", "bad-value", "spec.ingress[0].http[0].hosts[0]")]
    [TestCase("{ingress: [{http: [{headers: [{name: a}]}]}]}", "missing-field", "spec.ingress[0].http[0].headers[0]")]
    [TestCase("{ingress: [{http: [{headers: [{name: a, type: Present, value: b}]}]}]}", "bad-value", "spec.ingress[0].http[0].headers[0].value")]
    public void A_faulty_mesh_policy_is_left_out_and_the_fault_named(string spec, string code, string path)
    {
        var (mesh, _, diagnostics) = Manifests.Read(Manifests.MeshPolicy(spec));
        Assert.That(mesh.Policies, Is.Empty);
        Assert.That(diagnostics.Select(d => (d.Code, d.FieldPath, d.Severity)), Is.EqualTo(new[] { (code, path, Severity.Error) }));
    }
}

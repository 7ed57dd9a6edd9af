using NodeMesh.Model;
using NodeMesh.Sources;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class ObjectTranslationTests
{
    [Test]
    public void A_namespace_gets_the_label_of_its_name()
    {
        Assert.That(Manifests.Clean().Namespaces.Select(n => n.Labels["kubernetes.io/metadata.name"]), Is.EqualTo(new[] { "other", "shop" }));
    }

    [Test]
    public void A_node_is_read()
    {
        var node = Manifests.Clean("""
            apiVersion: v1
            kind: Node
            metadata: {name: n1}
            spec: {podCIDRs: [10.0.0.0/24, 'fd00::/64']}
            status: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: Hostname, address: n1}]}
            """).Nodes.Single();
        Assert.That(node.Addresses.Single().ToString(), Is.EqualTo("192.168.0.1"));
        Assert.That(node.PodCidrs.Select(p => p.ToString()), Is.EqualTo(new[] { "10.0.0.0/24", "fd00::/64" }));
    }

    [Test]
    public void A_pod_is_read()
    {
        var pod = Manifests.Clean("""
            apiVersion: v1
            kind: Pod
            metadata:
              name: a
              namespace: shop
              labels: {app: web}
              annotations: {nodemesh.io/netns: nm-a, nodemesh.io/host-interface: veth-a, other: x}
            spec:
              nodeName: n1
              hostNetwork: true
              initContainers:
              - {name: i, ports: [{name: gone, containerPort: 1}]}
              - {name: s, restartPolicy: Always, ports: [{name: side, containerPort: 15000}]}
              containers: [{name: c, image: x, ports: [{name: dns, containerPort: 53, protocol: UDP}, {containerPort: 99}]}]
            status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}], podIP: 10.0.0.1}
            """).Workloads.Single();
        Assert.That(pod.Addresses.Select(a => a.ToString()), Is.EqualTo(new[] { "10.0.0.1", "fd00::1" }));
        Assert.That(pod.Ports, Is.EqualTo(new[] { new NamedPort("dns", Protocol.Udp, 53), new NamedPort("side", Protocol.Tcp, 15000) }));
        Assert.That((pod.NodeName, pod.HostNetwork, pod.Ready, pod.Terminating, pod.Attachment), Is.EqualTo(("n1", true, true, false, new Attachment("nm-a", "veth-a"))));
    }

    [TestCase("uid: 0F6B4D0E-3d0f-4f31-9a3e-6f0d1f6f2a11", "0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11")]
    [TestCase("uid: 0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11, annotations: {kubernetes.io/config.mirror: 5d3b1f0c9a8e7d6c5b4a39281706f5e4}", "5d3b1f0c9a8e7d6c5b4a39281706f5e4")]
    [TestCase("uid: 0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11, annotations: {kubernetes.io/config.hash: 5d3b1f0c9a8e7d6c5b4a39281706f5e4}", "0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11")]
    [TestCase("uid: 0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11, annotations: {kubernetes.io/config.mirror: 11111111-3d0f-4f31-9a3e-6f0d1f6f2a11}", "0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11")]
    [TestCase("uid: ../../x", "")]
    [TestCase("labels: {}", "")]
    public void A_pods_cgroup_is_known_by_its_uid_or_a_static_pods_hash(string metadata, string uid)
    {
        var pod = Manifests.Clean($$"""
            apiVersion: v1
            kind: Pod
            metadata: {name: a, namespace: shop, {{metadata}}}
            spec: {nodeName: n1, containers: [{name: c, image: x}]}
            """).Workloads.Single();
        Assert.That(pod.Attachment, Is.EqualTo(new Attachment("", "", uid)));
    }

    [TestCase("", true)]
    [TestCase(", phase: Running", true)]
    [TestCase(", phase: Pending", false)]
    [TestCase(", phase: Succeeded", null)]
    [TestCase(", phase: Failed", null)]
    [TestCase(", conditions: [{type: Ready, status: 'True'}]", true)]
    [TestCase(", phase: Running, conditions: [{type: Ready, status: 'False'}]", false)]
    [TestCase(", conditions: []", false)]
    public void Readiness_follows_conditions_then_phase(string status, bool? ready)
    {
        var pods = Manifests.Clean(Manifests.Pod("a", "10.0.0.1", extra: status)).Workloads;
        Assert.That(pods.SingleOrDefault()?.Ready, Is.EqualTo(ready));
    }

    [Test]
    public void An_unknown_field_of_a_pod_is_only_a_warning()
    {
        var (mesh, _, diagnostics) = Manifests.Read(Manifests.Pod("a", "10.0.0.1", extra: ", podIps: 1"));
        Assert.That(mesh.Workloads, Has.Length.EqualTo(1));
        Assert.That(diagnostics.Single().ToString(), Is.EqualTo(
            "a.yaml:7 (document 1): warning: Pod shop/a: status.podIps: unknown field 'podIps'; did you mean 'podIPs'? known here: " + KnownOf(diagnostics.Single())
            + " (the field is ignored) [unknown-field]"));
    }

    private static string KnownOf(Diagnostic d) => d.Message[(d.Message.IndexOf("known here: ", StringComparison.Ordinal) + 12)..];

    [Test]
    public void Backends_come_from_the_selector_when_there_is_no_slice()
    {
        var mesh = Manifests.Clean(
            Manifests.Service("web", "10.96.0.1", "[{name: http, port: 80, targetPort: http}, {name: raw, port: 81}, {name: num, port: 82, targetPort: 9000}]"),
            Manifests.Pod("a", "10.0.0.1"), Manifests.Pod("b", "10.0.0.2", extra: ", phase: Pending"), Manifests.Pod("c", "10.0.0.3", "app: db"));
        var ports = mesh.Services.Single().Ports;
        Assert.That(ports.Select(p => string.Join(',', p.Backends.Select(b => $"{b.Address}:{b.Port}@{b.NodeName}{(b.NotReady ? "!" : "")}"))),
            Is.EqualTo(new[] { "10.0.0.1:8080@n1,10.0.0.2:8080@n1!", "10.0.0.1:81@n1,10.0.0.2:81@n1!", "10.0.0.1:9000@n1,10.0.0.2:9000@n1!" }));
    }

    [Test]
    public void Backends_come_from_slices_when_there_is_one()
    {
        var mesh = Manifests.Clean(Manifests.Service("web", "10.96.0.1"), Manifests.Pod("a", "10.0.0.1"), """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
            addressType: IPv4
            ports: [{name: http, port: 8080}, {name: other, port: 1}]
            endpoints:
            - {addresses: [10.0.0.9], nodeName: n2}
            - {addresses: [10.0.0.8], conditions: {ready: false, serving: true}}
            - {addresses: [10.0.0.7], conditions: {ready: true}}
            """);
        Assert.That(mesh.Services.Single().Ports.Single().Backends.Select(b => $"{b.Address}:{b.Port}@{b.NodeName}{(b.NotReady ? "!" : "")}"),
            Is.EqualTo(new[] { "10.0.0.7:8080@", "10.0.0.8:8080@!", "10.0.0.9:8080@n2" }));
    }

    [TestCase("{clusterIP: None, ports: [{port: 80}]}", null, 0)]
    [TestCase("{clusterIPs: [10.96.0.1, 'fd00::9'], ports: [{port: 80}]}", null, 2)]
    [TestCase("{ports: [{port: 80}]}", "no-cluster-ip", 0)]
    [TestCase("{clusterIP: 10.96.0.1, type: NodePort, ports: [{port: 80, nodePort: 30000}]}", null, 1)]
    [TestCase("{clusterIP: 10.96.0.1, type: NodePort, ports: [{port: 80}]}", "no-node-port", 1)]
    [TestCase("{clusterIP: 10.96.0.1, trafficDistribution: Nearest, ports: [{port: 80}]}", "unsupported", 1)]
    public void Cluster_ips_are_read(string spec, string? code, int ips)
    {
        var (mesh, codes, _) = Manifests.Read($"apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: shop}}\nspec: {spec}");
        Assert.That((mesh.Services.Single().ClusterIps.Length, codes.SingleOrDefault()), Is.EqualTo((ips, code)));
    }

    [TestCase("{clusterIP: 10.96.0, ports: [{port: 80}]}", "bad-address")]
    [TestCase("{clusterIPs: [10.96.0.1, 10.96.0.2], ports: [{port: 80}]}", "bad-value")]
    [TestCase("{clusterIP: 10.96.0.1, ports: [{port: 80}, {port: 81}]}", "missing-field")]
    [TestCase("{clusterIP: 10.96.0.1, ports: [{name: a, port: 80}, {name: b, port: 80}]}", "port-clash")]
    [TestCase("{clusterIP: 10.96.0.1, ports: [{name: a, port: 80}, {name: a, port: 81}]}", "duplicate")]
    [TestCase("{clusterIP: 10.96.0.1, ports: [{port: 80, targetPort: 70000}]}", "out-of-range")]
    public void A_faulty_service_is_left_out(string spec, string code)
    {
        var (mesh, codes, _) = Manifests.Read($"apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: shop}}\nspec: {spec}");
        Assert.That((mesh.Services.Length, codes.Distinct().Single()), Is.EqualTo((0, code)));
    }

    [TestCase("apiVersion: v1\nkind: Servce\nmetadata: {name: a}", "unknown-kind", Severity.Warning)]
    [TestCase("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}", "unknown-kind", Severity.Warning)]
    [TestCase("apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}", "unknown-kind", Severity.Warning)]
    [TestCase("apiVersion: v2\nkind: Node\nmetadata: {name: a}", "wrong-api-version", Severity.Error)]
    [TestCase("apiVersion: networking.k8s.io/v1beta1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: shop}\nspec: {}", "wrong-api-version", Severity.Error)]
    [TestCase("kind: Service\nmetadata: {name: a}", "missing-field", Severity.Error)]
    [TestCase("apiVersion: v1\nkind: Service\nmetadata: {namespace: shop}", "missing-field", Severity.Error)]
    [TestCase("[]", "not-an-object", Severity.Error)]
    [TestCase("a: 1\na: 2", "bad-yaml", Severity.Error)]
    [TestCase("apiVersion: v1\nkind: Node\nmetadata: {name: A_b}", "bad-name", Severity.Error)]
    [TestCase("apiVersion: v1\nkind: Node\nmetadata: {name: 5}", "wrong-type", Severity.Error)]
    [TestCase("apiVersion: v1\nkind: Node\nmetadata: {name: a, namespace: shop}", "bad-namespace", Severity.Error)]
    [TestCase("apiVersion: v1\nkind: Node\nmetadata: {name: a, labels: {'b c': d}}", "bad-label", Severity.Error)]
    [TestCase("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: nowhere}", "missing-namespace", Severity.Error)]
    [TestCase("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, annotations: {nodemesh.io/netns: a/b}}", "bad-annotation", Severity.Error)]
    public void Documents_that_are_no_usable_object_are_named(string text, string code, Severity severity)
    {
        var (mesh, _, diagnostics) = Manifests.Read(text);
        Assert.That(diagnostics.Select(d => (d.Code, d.Severity)), Is.EqualTo(new[] { (code, severity) }));
        Assert.That(diagnostics.Single().Location, Is.Not.Null);
        Assert.That((mesh.Nodes.Length, mesh.Workloads.Length, mesh.Services.Length, mesh.Policies.Length), Is.EqualTo((0, 0, 0, 0)));
    }

    [Test]
    public void Lists_are_unfolded()
    {
        var mesh = Manifests.Clean("{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \"v1\", \"kind\": \"Node\", \"metadata\": {\"name\": \"a\"}}]}");
        Assert.That(mesh.Nodes.Single().Name, Is.EqualTo("a"));
    }

    [Test]
    public void A_fault_is_named_with_file_document_line_and_path()
    {
        var text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n" + Manifests.Pod("a", "10.0.0.1").Replace("8080", "80800");
        var d = ManifestReader.Read([("dir/x.yaml", text)]).Diagnostics.Single();
        Assert.That(d.ToString(), Is.EqualTo(
            "dir/x.yaml:10 (document 2): error: Pod shop/a: spec.containers[0].ports[0].containerPort: '80800' is not a whole number from 1 to 65535 (the object is left out) [out-of-range]"));
    }

    [Test]
    public void The_first_of_two_equal_objects_by_path_is_kept()
    {
        var (mesh, diagnostics) = ManifestReader.Read([("b.yaml", Manifests.Pod("a", "10.0.0.2")), ("a.yaml", Manifests.Pod("a", "10.0.0.1")), ("n.yaml", Manifests.Namespaces)]);
        Assert.That(mesh.Workloads.Single().Addresses.Single().ToString(), Is.EqualTo("10.0.0.1"));
        Assert.That((diagnostics.Single().Code, diagnostics.Single().Location!.Value.File), Is.EqualTo(("duplicate", "b.yaml")));
    }

    [Test]
    public void Two_pods_with_one_address_clash()
    {
        var (mesh, codes, _) = Manifests.Read(Manifests.Pod("b", "10.0.0.1"), Manifests.Pod("a", "10.0.0.1"));
        Assert.That((mesh.Workloads.Single().Name.Name, codes.Single()), Is.EqualTo(("a", "address-clash")));
    }
}

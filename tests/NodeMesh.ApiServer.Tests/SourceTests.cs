using System.Text.Json.Nodes;
using NodeMesh.Model;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.ApiServer.Tests;

/// <summary>The agent's source, with the rights of deploy/, on objects as the API stores them.</summary>
internal sealed class SourceTests : ClusterTests
{
    private static Api Admin => TheCluster.Admin;

    public static string Pod(string ns, string name, string app = "web") =>
        $"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: {ns}, labels: {{app: {app}}}}}, spec: {{nodeName: node-{ns}, containers: [{{name: c, image: web, ports: [{{name: http, containerPort: 8080}}]}}]}}}}";

    public static void Run(string ns, string name, string ip) => Admin.Patch($"/api/v1/namespaces/{ns}/pods/{name}/status", $$"""
        {"status":{"phase":"Running","podIP":"{{ip}}","podIPs":[{"ip":"{{ip}}"}],"conditions":[{"type":"Ready","status":"True"}]} }
        """);

    private static bool Has<T>(IEnumerable<T> all, Func<T, bool> fits) => all.Any(fits);

    [Test]
    public void Everything_that_is_followed_is_heard_and_so_are_its_changes()
    {
        var ns = TheCluster.Namespace();
        Admin.Apply($"{{apiVersion: v1, kind: Node, metadata: {{name: node-{ns}}}, spec: {{podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24]}}}}");
        Admin.Patch($"/api/v1/nodes/node-{ns}/status", """{"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.1"}]}}""");
        Admin.Apply(Pod(ns, "web-0"));
        Run(ns, "web-0", "10.1.0.1");
        Admin.Apply($"{{apiVersion: v1, kind: Service, metadata: {{name: web, namespace: {ns}}}, spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: http}}]}}}}");
        Admin.Apply($$"""
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: web-x, namespace: {{ns}}, labels: {kubernetes.io/service-name: web} }
            addressType: IPv4
            ports: [{name: '', port: 8080, protocol: TCP}]
            endpoints: [{addresses: [10.1.0.1], nodeName: node-{{ns}}, conditions: {ready: true}, targetRef: {kind: Pod, name: web-0, namespace: {{ns}}} }]
            """);
        Admin.Apply($"{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: deny, namespace: {ns}}}, spec: {{podSelector: {{}}}}}}");
        Admin.Apply($"{{apiVersion: nodemesh.io/v1alpha1, kind: MeshPolicy, metadata: {{name: mesh, namespace: {ns}}}, spec: {{ingress: [{{ports: [{{port: 80}}]}}]}}}}");
        Admin.Apply($"{{apiVersion: nodemesh.io/v1alpha1, kind: ClusterMeshPolicy, metadata: {{name: cluster-{ns}}}, spec: {{namespaceSelector: {{matchLabels: {{team: {ns}}}}}, egress: [{{to: [{{entity: all}}]}}]}}}}");
        var address = IpAddr.Parse((string)Admin.Get($"/api/v1/namespaces/{ns}/services/web").Body["spec"]!["clusterIP"]!);

        using var agent = new ApiAgent(TheCluster.AgentsAccount());
        agent.Until(m => m.Revision > 0, "there is a first snapshot");
        var mesh = agent.Mesh;
        Assert.That(mesh.Diagnostics.Where(d => d.Severity == Severity.Error && d.Object.Name.Namespace == ns), Is.Empty);
        Assert.That(mesh.Namespaces.Single(n => n.Name == ns).Labels["team"], Is.EqualTo(ns));
        Assert.That(mesh.Nodes.Single(n => n.Name == $"node-{ns}").Addresses, Is.EqualTo(new[] { IpAddr.Parse("192.0.2.1") }));
        var pod = mesh.Workloads.Single(w => w.Name == new ObjectName(ns, "web-0"));
        Assert.That((pod.Addresses.Single(), pod.Ready, pod.NodeName), Is.EqualTo((IpAddr.Parse("10.1.0.1"), true, $"node-{ns}")));
        var service = mesh.Services.Single(s => s.Name == new ObjectName(ns, "web"));
        Assert.That((service.ClusterIps.Single(), service.Ports.Single().Backends.Single().Address), Is.EqualTo((address, IpAddr.Parse("10.1.0.1"))));
        Assert.That(mesh.Policies.Where(p => p.Name.Namespace == ns || p.Name.Name == $"cluster-{ns}").Select(p => (p.Kind, p.IsolatesIngress, p.IsolatesEgress)),
            Is.EquivalentTo(new[] { (PolicyKind.NetworkPolicy, true, false), (PolicyKind.MeshPolicy, true, false), (PolicyKind.ClusterMeshPolicy, false, true) }));

        Admin.Apply(Pod(ns, "web-1"));
        Run(ns, "web-1", "10.1.0.2");
        agent.Until(m => Has(m.Workloads, w => w.Name == new ObjectName(ns, "web-1") && w.Ready), "a new pod is heard");
        Admin.Patch($"/api/v1/namespaces/{ns}/pods/web-1", """{"metadata":{"labels":{"app":"api"}}}""");
        agent.Until(m => Has(m.Workloads, w => w.Name.Namespace == ns && w.Labels["app"] == "api"), "its label is heard");

        // A kubelet would end it now; without one it is there until it is forced.
        Admin.Send(HttpMethod.Delete, $"/api/v1/namespaces/{ns}/pods/web-0").Good("delete");
        agent.Until(m => Has(m.Workloads, w => w.Name == new ObjectName(ns, "web-0") && w.Terminating), "a pod that leaves is still there");
        Admin.Delete($"/api/v1/namespaces/{ns}/pods/web-0");
        agent.Until(m => !Has(m.Workloads, w => w.Name == new ObjectName(ns, "web-0")), "it is gone");
        Admin.Patch($"/apis/nodemesh.io/v1alpha1/namespaces/{ns}/meshpolicies/mesh", """{"spec":{"policyTypes":["Ingress","Egress"]}}""");
        agent.Until(m => Has(m.Policies, p => p.Name == new ObjectName(ns, "mesh") && p.IsolatesEgress), "a policy's change is heard");
        foreach (var path in new[] { $"api/v1/namespaces/{ns}/services/web", $"apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices/web-x", $"apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies/deny",
            $"apis/nodemesh.io/v1alpha1/namespaces/{ns}/meshpolicies/mesh", $"apis/nodemesh.io/v1alpha1/clustermeshpolicies/cluster-{ns}", $"api/v1/nodes/node-{ns}", $"api/v1/namespaces/{ns}/pods/web-1" })
            Admin.Delete("/" + path);
        agent.Until(m => !Has(m.Services, s => s.Name.Namespace == ns) && !Has(m.Policies, p => p.Name.Namespace == ns || p.Name.Name == $"cluster-{ns}") && !Has(m.Nodes, n => n.Name == $"node-{ns}") && !Has(m.Workloads, w => w.Name.Namespace == ns), "all of it is gone");
        Assert.That(agent.State.Troubles, Is.Empty);
    }

    /// <summary>A definition of our own: of the kinds of Gateway API only the names are needed here.</summary>
    public static string Definition(string kind, string plural, string version, string scope = "Namespaced") => $$"""
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: {{plural}}.gateway.networking.k8s.io
          annotations: {api-approved.kubernetes.io: 'unapproved, a test'}
        spec:
          group: gateway.networking.k8s.io
          scope: {{scope}}
          names: {kind: {{kind}}, listKind: {{kind}}List, plural: {{plural}}, singular: {{kind.ToLowerInvariant()}} }
          versions:
            - name: {{version}}
              served: true
              storage: true
              subresources: {status: {} }
              schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true} }
        """;

    public static void Install(string kind, string plural, string version, string scope = "Namespaced")
    {
        Admin.Apply(Definition(kind, plural, version, scope));
        TheCluster.AwaitEstablished($"{plural}.gateway.networking.k8s.io");
    }

    public static void Uninstall(string plural)
    {
        var path = $"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.gateway.networking.k8s.io";
        Admin.Delete(path);
        Testing.Eventually.True(() => Admin.Get(path).Code == 404, $"{plural} are gone", TimeSpan.FromMinutes(2));
    }

    [Test]
    public void A_kind_is_followed_once_it_is_installed_and_until_it_is_not()
    {
        var ns = TheCluster.Namespace();
        Admin.Apply($"{{apiVersion: v1, kind: Service, metadata: {{name: web, namespace: {ns}}}, spec: {{ports: [{{port: 80}}]}}}}");
        using var agent = new ApiAgent(TheCluster.AgentsAccount());
        agent.Until(m => Has(m.Services, s => s.Name.Namespace == ns), "the service is heard, without the kinds that are not there");
        Install("HTTPRoute", "httproutes", "v1");
        try
        {
            Admin.Apply(Route(ns));
            agent.Until(m => Has(m.Routes, r => r.Name == new ObjectName(ns, "route")), "a route is heard");
        }
        finally
        {
            Uninstall("httproutes");
        }

        agent.Until(m => !Has(m.Routes, r => r.Name.Namespace == ns), "without its kind there is no route");
    }

    public static string Route(string ns) => $"{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {{name: route, namespace: {ns}}}, "
        + "spec: {parentRefs: [{group: '', kind: Service, name: web, port: 80}], rules: [{backendRefs: [{name: web, port: 80}]}]}}";

    [Test]
    public void Every_other_kind_of_Gateway_API_is_followed_too()
    {
        var ns = TheCluster.Namespace();
        Install("GatewayClass", "gatewayclasses", "v1", "Cluster");
        Install("Gateway", "gateways", "v1");
        Install("ReferenceGrant", "referencegrants", "v1beta1");
        try
        {
            Admin.Apply($"{{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {{name: ours}}, spec: {{controllerName: nodemesh.io/gateway-controller}}}}");
            Admin.Apply($"{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{name: edge, namespace: {ns}}}, spec: {{gatewayClassName: ours, listeners: [{{name: http, port: 80, protocol: HTTP}}]}}}}");
            Admin.Apply($"{{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {{name: grant, namespace: {ns}}}, spec: {{from: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}}], to: [{{group: '', kind: Service}}]}}}}");
            TheCluster.ForgetAgents();
            using var agent = new ApiAgent(TheCluster.AgentsAccount(), "node-gateway");
            agent.Until(m => Has(m.Gateways, g => g.Name.Namespace == ns), "a gateway is heard");
            Testing.Eventually.True(() => agent.State.Resources.Single(r => r.Resource == "referencegrants").Objects == 1, "the grant is heard", TimeSpan.FromMinutes(3));
            Testing.Eventually.True(() => (Admin.Get("/apis/gateway.networking.k8s.io/v1/gatewayclasses/ours").Body["status"]?["conditions"] as JsonArray ?? []).Any(c => (string?)c!["type"] == "Accepted" && (string?)c["status"] == "True"),
                "the class is accepted", TimeSpan.FromMinutes(3));
        }
        finally
        {
            foreach (var plural in new[] { "referencegrants", "gateways", "gatewayclasses" })
                Uninstall(plural);
        }
    }
}

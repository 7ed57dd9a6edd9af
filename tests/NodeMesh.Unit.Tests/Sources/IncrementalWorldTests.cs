using NodeMesh.Compiler;
using NodeMesh.Compiler.Services;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Sources;
using NodeMesh.Sources.Files;
using NodeMesh.Sources.World;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>A world that follows every change is the world that is read at once, and so is its plan.</summary>
public sealed class IncrementalWorldTests
{
    private const int Files = 14;

    private static readonly NodeFacts s_node = new("n1", [IpAddr.Parse("192.0.2.1")], []);

    [Test]
    public void Any_sequence_of_changes_gives_the_world_of_reading_at_once([Range(1, 30)] int seed)
    {
        var random = new Random(seed);
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var followed = new ModelBuilder(TimeProvider.System);
        var plan = MeshPlan.Empty;
        for (var step = 0; step < 40; step++)
        {
            for (var i = random.Next(1, 4); i > 0; i--)
            {
                var path = $"f{random.Next(Files):00}.yaml";
                if (random.Next(4) == 0)
                {
                    files.Remove(path);
                    followed.Apply(new OriginChange(path, null, null));
                }
                else
                {
                    files[path] = string.Join("\n---\n", Enumerable.Range(0, random.Next(1, 4)).Select(_ => Document(random)));
                    followed.Apply(ManifestFile.Read(path, files[path]));
                }
            }

            var anew = new ModelBuilder(TimeProvider.System);
            foreach (var (path, text) in files)
                anew.Apply(ManifestFile.Read(path, text));
            var (actual, expected) = (followed.Build(), anew.Build());
            Assert.That(Text(actual), Is.EqualTo(Text(expected)), $"seed {seed}, step {step}");
            plan = MeshCompiler.Compile(actual, s_node, plan);
            Assert.That(PlanText.Of(plan), Is.EqualTo(PlanText.Of(MeshCompiler.Compile(expected, s_node))), $"seed {seed}, step {step}");
        }
    }

    [Test]
    public void A_pod_that_comes_or_is_labelled_anew_recompiles_the_services_that_select_it_and_no_other()
    {
        var world = new ModelBuilder(TimeProvider.System);
        world.Apply(ManifestFile.Read("shop.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}"));
        foreach (var app in (string[])["a", "b", "c"])
        {
            world.Apply(ManifestFile.Read($"service-{app}.yaml", $$"""
                apiVersion: v1
                kind: Service
                metadata: { name: {{app}}, namespace: shop }
                spec: { type: NodePort, clusterIP: 10.96.0.{{(int)app[0]}}, selector: { app: {{app}} }, ports: [ { port: 80, nodePort: 300{{(int)app[0]}} } ] }
                """));
            world.Apply(Pod(app, app, (byte)app[0]));
        }

        var plan = MeshCompiler.Compile(world.Build(), s_node);
        AssertRecompiled("another pod of a", Pod("more", "a", 1), "a");
        AssertRecompiled("it is labelled for b", Pod("more", "b", 1), "a", "b");
        AssertRecompiled("it is labelled for nobody", Pod("more", "x", 1), "b");
        AssertRecompiled("a pod that nobody selects", Pod("other", "y", 2));

        void AssertRecompiled(string what, OriginChange change, params string[] expected)
        {
            var before = Fragments(plan);
            world.Apply(change);
            plan = MeshCompiler.Compile(world.Build(), s_node, plan);
            var changed = Fragments(plan).Where(f => !ReferenceEquals(f.Value, before[f.Key])).Select(f => f.Key.Name.Name);
            Assert.That(changed, Is.EquivalentTo(expected), what);
        }

        static Dictionary<SourceKey, Fragment> Fragments(MeshPlan plan) => ((CompilerMemory)plan.Memory!).Services.Fragments.ToDictionary(f => f.Key, f => f.Value);

        static OriginChange Pod(string name, string app, byte number) => ManifestFile.Read($"pod-{name}.yaml", $$"""
            apiVersion: v1
            kind: Pod
            metadata: { name: {{name}}, namespace: shop, labels: { app: {{app}} } }
            spec: { nodeName: n1, containers: [ { name: c } ] }
            status: { podIP: 10.0.0.{{number}}, conditions: [ { type: Ready, status: "True" } ] }
            """);
    }

    private static string Text(MeshSnapshot mesh) => string.Join('\n',
        mesh.Namespaces.Select(n => n.Name)
            .Concat(mesh.Nodes.Select(n => $"{n.Name} {string.Join(',', n.Labels)}"))
            .Concat(mesh.Workloads.Select(w => $"{w.Name} {string.Join(',', w.Addresses)} {string.Join(',', w.Labels)} {w.Ready} {w.Terminating}"))
            .Concat(mesh.Services.Select(s => $"{s.Name} {string.Join(',', s.ClusterIps)} {s.Type} {string.Join(';', s.Ports.Select(p => $"{p.Name} {p.Port} {p.NodePort} {string.Join(',', p.Backends)}"))}"))
            .Concat(mesh.Policies.Select(p => $"{p.Ref}"))
            .Concat(mesh.Routes.Select(r => $"{r.Name} {string.Join(',', r.Rules.SelectMany(x => x.Backends).Select(b => $"{b.Service} {b.Invalid} {b.Ungranted}"))}"))
            .Concat(mesh.Diagnostics.Select(d => d.ToString())));

    private static string Document(Random random)
    {
        string Of(params string[] choices) => choices[random.Next(choices.Length)];
        var name = $"o{random.Next(5)}";
        var label = Of("app: a", "app: b", "app: a, tier: x");
        return random.Next(9) switch
        {
            0 => $"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {Of("shop", "other")}}}",
            1 => $"apiVersion: v1\nkind: Node\nmetadata: {{name: {Of("n1", "n2")}, labels: {{topology.kubernetes.io/zone: {Of("east", "west")}}}}}",
            2 or 3 => $$"""
                apiVersion: v1
                kind: Pod
                metadata: { name: {{name}}, namespace: {{Of("shop", "other")}}, labels: { {{label}} }{{Of("", ", deletionTimestamp: \"2026-01-01T00:00:00Z\"")}} }
                spec: { nodeName: {{Of("n1", "n2")}}, hostNetwork: {{Of("false", "false", "true")}}, containers: [ { name: c, ports: [ { name: http, containerPort: {{Of("80", "8080")}}{{Of("", ", hostPort: 81")}} } ] } ] }
                status: { podIP: 10.0.0.{{random.Next(1, 7)}}, conditions: [ { type: Ready, status: "{{Of("True", "False")}}" } ] }
                """,
            4 or 5 => $$"""
                apiVersion: v1
                kind: Service
                metadata: { name: {{name}}, namespace: {{Of("shop", "other")}} }
                spec: { type: {{Of("ClusterIP", "NodePort", "ExternalName")}}, clusterIP: 10.96.0.{{random.Next(1, 5)}}, {{Of($"selector: {{ {label} }},", "")}} trafficDistribution: {{Of("PreferClose", "PreferSameNode")}}, ports: [ { name: {{Of("web", "api")}}, {{Of("appProtocol: kubernetes.io/h2c, ", "")}}port: 80, targetPort: {{Of("http", "8080")}}, nodePort: 3000{{random.Next(3)}} } ] }
                """,
            6 => $$"""
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: { name: s{{random.Next(3)}}, namespace: shop, labels: { kubernetes.io/service-name: {{name}} } }
                addressType: IPv4
                ports: [ { port: 8080 } ]
                endpoints: [ { addresses: [ 10.0.1.{{random.Next(9)}} ], conditions: { ready: {{Of("true", "false")}} } } ]
                """,
            7 => Manifests.NetworkPolicy(Of("{podSelector: {}, ingress: [{}]}", "{podSelector: {matchLabels: {app: a}}}"), name),
            _ => Manifests.Route($"{{parentRefs: [{{group: '', kind: Service, name: {name}, sectionName: web}}], rules: [{{backendRefs: [{{name: {Of("o1", "o2")}, port: 80}}]}}]}}"),
        };
    }
}

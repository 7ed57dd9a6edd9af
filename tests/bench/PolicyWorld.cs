using System.Text;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>
/// A large cluster as it is written: 100 namespaces with 50 applications of two pods and ten policies each, and services whose backends are the pods.
/// The first eleven applications of the first ten namespaces have a pod of this node each, which makes a node full of pods.
/// </summary>
internal sealed class PolicyWorld(NodeBox box)
{
    public const int Namespaces = 100;
    public const int Applications = 50;
    public const int LocalNamespaces = 10;
    public const int LocalApplications = 11;
    public const int PoliciesPerNamespace = 10;
    public const int Services = 10_000;

    /// <summary>The first policy of a namespace that is about one application.</summary>
    public const int OfOneApplication = 5;

    /// <summary>Policies about no pod of this node that have files of their own.</summary>
    public const int HotPolicies = 50;

    private const int Teams = 10;
    private const int PerFile = 100;
    private const int BackendsPerService = 5;

    private readonly List<PodBox> _local = [];

    /// <summary>Remote pods that have files of their own, to be changed: one in each of the first namespaces.</summary>
    public static int HotPods => LocalNamespaces;

    public static string Namespace(int number) => Text($"ns-{number}");

    /// <summary>The node's pods, without services, policies and other pods.</summary>
    public void WriteLocalPods()
    {
        box.WriteConfig("01-namespaces.yaml", string.Concat(Enumerable.Range(0, Namespaces).Select(n =>
            Text($"apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {Namespace(n)}, labels: {{ team: t{n % Teams} }} }}\n---\n"))));
        for (var n = 0; n < LocalNamespaces; n++)
            for (var a = 0; a < LocalApplications; a++)
                _local.Add(box.AddPod(Text($"a{a}-0"), Namespace(n), Text($"app: a{a}")));
    }

    public void WriteRest()
    {
        for (var n = 0; n < Namespaces; n++)
            box.WriteConfig(Text($"20-pods-{n}.yaml"), string.Concat(RemotePods(n).Select(p => p + "---\n")));
        for (var n = 0; n < HotPods; n++)
            WriteHotPod(n, Text($"app: a{LocalApplications}"));
        for (var n = 0; n < Namespaces; n++)
        {
            var rest = Enumerable.Range(0, PoliciesPerNamespace).Where(p => !IsHot(n, p)).Select(p => Policy(n, p, 0) + "\n---\n").ToArray();
            if (rest.Length > 0)
                box.WriteConfig(Text($"30-policies-{n}.yaml"), string.Concat(rest));
            for (var p = 0; p < PoliciesPerNamespace; p++)
                if (IsHot(n, p))
                    WritePolicy(n, p, 0);
        }

        WriteServices();
    }

    /// <summary>One of the namespace's policies.</summary>
    /// <param name="which">0 refuses the rest; 1 DNS; 2 the same namespace; 3 a team; 4 a block; the others are each of one application.</param>
    /// <param name="version">Tells one state from the next.</param>
    public void WritePolicy(int ns, int which, int version) => box.WriteConfig(Text($"30-policy-{ns}-{which}.yaml"), Policy(ns, which, version));

    /// <param name="labels">Null: the pod is gone.</param>
    public void WriteHotPod(int ns, string? labels)
    {
        var file = Text($"hot-pod-{ns}.yaml");
        if (labels is null)
            box.DeleteConfig(file);
        else
            box.WriteConfig(file, RemotePod(ns, LocalApplications, 0, labels));
    }

    public void RelabelLocalPod(int number, string labels)
    {
        var pod = _local[number];
        box.WriteConfig($"pod-{pod.Namespace}-{pod.Name}.yaml", Text($$"""
            apiVersion: v1
            kind: Pod
            metadata: { name: {{pod.Name}}, namespace: {{pod.Namespace}}, labels: { {{labels}} }, annotations: { nodemesh.io/netns: {{pod.Netns.Name}} } }
            spec: { nodeName: {{NodeBox.NodeName}}, containers: [ { name: main } ] }
            status: { podIPs: [ { ip: {{pod.Address}} }, { ip: "{{pod.Address6}}" } ] }
            """));
    }

    /// <summary>Policies that will change, of this node's pods and of others, are in files of their own.</summary>
    private static bool IsHot(int ns, int which) => ns < LocalNamespaces || (ns < LocalNamespaces + HotPolicies && which == OfOneApplication);

    private static string Policy(int ns, int which, int version) => Text($$"""
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: { name: p{{which}}, namespace: {{Namespace(ns)}} }
        spec:
          podSelector: {{(which < OfOneApplication ? "{}" : Text($"{{ matchLabels: {{ app: a{which - OfOneApplication} }} }}"))}}
        {{PolicyBody(ns, which, version)}}
        """);

    private static string PolicyBody(int ns, int which, int version) => which switch
    {
        0 => "  policyTypes: [ Ingress, Egress ]",
        1 => Text($$"""
              policyTypes: [ Egress ]
              egress:
              - to: [ { namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ns-{{Namespaces - 1}} } }, podSelector: { matchLabels: { app: a0 } } } ]
                ports: [ { protocol: UDP, port: 53 }, { protocol: TCP, port: 53 } ]
            """),
        2 => Text($$"""
              ingress: [ { from: [ { podSelector: {} } ], ports: [ { port: {{8080 + version}} } ] } ]
              egress: [ { to: [ { podSelector: {} } ] } ]
              policyTypes: [ Ingress, Egress ]
            """),
        3 => Text($$"""
              ingress: [ { from: [ { namespaceSelector: { matchLabels: { team: t{{(ns + 1 + version) % Teams}} } } } ], ports: [ { port: 9090 } ] } ]
            """),
        4 => Text($$"""
              egress: [ { to: [ { ipBlock: { cidr: 172.{{16 + (ns % 16)}}.{{version % 250}}.0/24, except: [ 172.{{16 + (ns % 16)}}.{{version % 250}}.128/25 ] } } ], ports: [ { port: 443 } ] } ]
              policyTypes: [ Egress ]
            """),
        _ => Text($$"""
              ingress: [ { from: [ { podSelector: { matchLabels: { app: a{{which - OfOneApplication + 1}} } } }, { namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ns-{{(ns + 1) % Namespaces}} } } } ], ports: [ { port: {{9000 + version}} } ] } ]
            """),
    };

    private static IEnumerable<string> RemotePods(int ns)
    {
        for (var a = 0; a < Applications; a++)
            for (var r = ns < LocalNamespaces && a <= LocalApplications ? 1 : 0; r < 2; r++)
                yield return RemotePod(ns, a, r, Text($"app: a{a}"));
    }

    private static string RemotePod(int ns, int application, int replica, string labels) => Text($$"""
        apiVersion: v1
        kind: Pod
        metadata: { name: a{{application}}-{{replica}}, namespace: {{Namespace(ns)}}, labels: { {{labels}} } }
        spec: { nodeName: node-{{((ns * Applications) + application) % 99}}, containers: [ { name: main } ] }
        status: { podIPs: [ { ip: {{PodAddress(ns, application, replica)}} } ] }

        """);

    private static string PodAddress(int ns, int application, int replica) => Text($"10.{1 + replica}.{ns}.{application}");

    private void WriteServices()
    {
        for (var first = 0; first < Services; first += PerFile)
        {
            var text = new StringBuilder();
            for (var i = first; i < first + PerFile; i++)
            {
                var backends = Enumerable.Range(0, BackendsPerService).Select(b => (i + (b * 1009)) % (Namespaces * Applications * 2))
                    .Select(p => PodAddress(p / (2 * Applications), p / 2 % Applications, p % 2));
                text.Append(Text($$"""
                    apiVersion: v1
                    kind: Service
                    metadata: { name: s{{i}}, namespace: {{Namespace(i % Namespaces)}} }
                    spec: { clusterIP: "10.96.{{i >> 8}}.{{i & 255}}", ports: [ { port: 80 } ] }
                    ---
                    apiVersion: discovery.k8s.io/v1
                    kind: EndpointSlice
                    metadata: { name: s{{i}}-a, namespace: {{Namespace(i % Namespaces)}}, labels: { kubernetes.io/service-name: s{{i}} } }
                    addressType: IPv4
                    ports: [ { port: 8080 } ]
                    endpoints: [ {{string.Join(", ", backends.Select(b => $"{{ addresses: [ {b} ], conditions: {{ ready: true }} }}"))}} ]
                    ---

                    """));
            }

            box.WriteConfig(Text($"10-services-{first}.yaml"), text.ToString());
        }
    }

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}

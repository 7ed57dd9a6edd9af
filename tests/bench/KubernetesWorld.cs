using System.Text.Json.Nodes;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Bench;

/// <summary>
/// A large cluster as its API server has it: 100 namespaces with 50 applications of two pods and ten policies each, and services of two pods. The first eleven
/// applications of the first ten namespaces have a pod of this node each. Objects are as large as real ones: most of them is what nobody here reads.
/// </summary>
internal sealed class KubernetesWorld(NodeBox box, ObjectStore store)
{
    public const int Namespaces = 100;
    public const int Applications = 50;
    public const int LocalNamespaces = 10;
    public const int LocalApplications = 11;
    public const int PoliciesPerNamespace = 10;
    public const int Services = 5_000;
    public const int Pods = Namespaces * Applications * 2;

    /// <summary>What a kubelet and a controller write into each pod.</summary>
    private static readonly string s_bulk = string.Join(',', Enumerable.Repeat(
        """{"manager":"kubelet","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:conditions":{"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:status":{},"f:type":{}}}}}}""", 12));

    private readonly PodBox[] _local = new PodBox[LocalNamespaces * LocalApplications];

    public IReadOnlyList<PodBox> Local => _local;

    public void Fill()
    {
        Put("nodes", Text($$"""{"metadata":{"name":"{{NodeBox.NodeName}}"},"status":{"addresses":[{"type":"InternalIP","address":"{{NodeBox.NodeAddress}}"}]} }"""));
        for (var n = 0; n < Namespaces; n++)
            Put("namespaces", Text($$"""{"metadata":{"name":"ns-{{n}}","labels":{"team":"t{{n % 10}}"} } }"""));
        for (var i = 0; i < _local.Length; i++)
        {
            var (n, a) = (i / LocalApplications, i % LocalApplications);
            var pod = _local[i] = box.AddPod(Text($"a{a}-0"), Text($"ns-{n}"));
            Put("pods", Pod(pod.Name, n, Text($"a{a}"), NodeBox.NodeName, pod.Address, Text($$""","annotations":{"nodemesh.io/netns":"{{pod.Netns.Name}}"}""")));
        }

        for (var number = 0; number < Pods; number++)
            if (!IsLocal(number))
                PutPod(number, Text($"a{number / 2 % Applications}"));
        for (var service = 0; service < Services; service++)
        {
            Put("services", Text($$"""
                {"metadata":{"name":"s{{service}}","namespace":"ns-{{service % Namespaces}}"},"spec":{"type":"ClusterIP","clusterIP":"{{ServiceAddress(service)}}","clusterIPs":["{{ServiceAddress(service)}}"],"selector":{"app":"a1"},"ports":[{"port":80,"targetPort":8080,"protocol":"TCP"}]} }
                """));
            PutSlice(service, 0);
        }

        for (var n = 0; n < Namespaces; n++)
            for (var which = 0; which < PoliciesPerNamespace; which++)
                PutPolicy(n, which, 0);
    }

    /// <summary>One pod of a pair is of this node where the application is.</summary>
    public static bool IsLocal(int number) => number % 2 == 0 && number / 2 / Applications < LocalNamespaces && number / 2 % Applications < LocalApplications;

    public static string PodAddress(int number) => Text($"10.{1 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}");

    public static string ServiceAddress(int service) => Text($"10.96.{service >> 8}.{service & 255}");

    /// <param name="number">From <see cref="Pods"/> on: one that was not there.</param>
    public void PutPod(int number, string app) => Put("pods", Pod(PodName(number), PodNamespace(number), app, Text($"node-{number % 99}"), PodAddress(number), ""));

    public void DeletePod(int number) => store.Delete("pods", Text($"ns-{PodNamespace(number)}"), PodName(number));

    /// <param name="version">Tells one state from the next: which pods are behind it.</param>
    public void PutSlice(int service, int version)
    {
        var pods = new[] { service * 2, (service * 2) + 1 + (2 * version) }.Select(p => p % Pods);
        Put("discovery.k8s.io/endpointslices", Text($$"""
            {"metadata":{"name":"s{{service}}-x","namespace":"ns-{{service % Namespaces}}","labels":{"kubernetes.io/service-name":"s{{service}}"} },"addressType":"IPv4","ports":[{"name":"","port":8080,"protocol":"TCP"}],
             "endpoints":[{{string.Join(',', pods.Select(p => Text($$"""{"addresses":["{{PodAddress(p)}}"],"nodeName":"node-{{p % 99}}","conditions":{"ready":true,"serving":true,"terminating":false} }""")))}}]}
            """));
    }

    /// <param name="which">0 refuses the rest, 1 DNS, 2 the same namespace, 3 a team, 4 a block; the others are each of one application.</param>
    /// <param name="version">Tells one state from the next.</param>
    public void PutPolicy(int ns, int which, int version)
    {
        var labels = which < 5 ? "" : Text($"\"app\":\"a{which - 5}\"");
        Put("networking.k8s.io/networkpolicies", Text($$"""
            {"metadata":{"name":"p{{which}}","namespace":"ns-{{ns}}"},"spec":{"podSelector":{"matchLabels":{ {{labels}} } },{{Rules(ns, which, version)}} } }
            """));
    }

    private static string Rules(int ns, int which, int version) => which switch
    {
        0 => """ "policyTypes":["Ingress","Egress"] """,
        1 => """ "policyTypes":["Egress"],"egress":[{"to":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"ns-99"}},"podSelector":{"matchLabels":{"app":"a0"}}}],"ports":[{"protocol":"UDP","port":53},{"protocol":"TCP","port":53}]}] """,
        2 => """ "policyTypes":["Ingress","Egress"],"ingress":[{"from":[{"podSelector":{}}],"ports":[{"port":8080}]}],"egress":[{"to":[{"podSelector":{}}]}] """,
        3 => Text($$""" "ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"t{{(ns + 1) % 10}}"} } }],"ports":[{"port":9090}]}] """),
        4 => Text($$""" "policyTypes":["Egress"],"egress":[{"to":[{"ipBlock":{"cidr":"172.{{16 + (ns % 16)}}.0.0/24"} }],"ports":[{"port":443}]}] """),
        _ => Text($$""" "ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"a{{which - 4}}"} } }],"ports":[{"port":{{9000 + version}} }]}] """),
    };

    private static int PodNamespace(int number) => number / 2 / Applications % Namespaces;

    private static string PodName(int number) => Text($"a{number / 2 % Applications}-{number}");

    private static string Pod(string name, int ns, string app, string node, string address, string more) => Text($$"""
        {"metadata":{"name":"{{name}}","namespace":"ns-{{ns}}","labels":{"app":"{{app}}"},"managedFields":[{{s_bulk}}],"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"{{name}}"}]{{more}} },
         "spec":{"nodeName":"{{node}}","volumes":[{"name":"token","projected":{"sources":[{"serviceAccountToken":{"path":"token"} }]} }],"serviceAccountName":"default","tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists"}],
                 "containers":[{"name":"main","image":"registry.example/app:1","ports":[{"name":"http","containerPort":8080}],"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"resources":{"requests":{"cpu":"10m"} } }]},
         "status":{"phase":"Running","podIP":"{{address}}","podIPs":[{"ip":"{{address}}"}],"conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}],"containerStatuses":[{"name":"main","ready":true,"image":"registry.example/app:1"}]} }
        """);

    private void Put(string resource, string json) => store.Put(resource, (JsonObject)JsonNode.Parse(json)!);

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}

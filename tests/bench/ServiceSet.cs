using System.Globalization;
using System.Text;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <param name="NodePort">0: none.</param>
internal sealed record BenchService(string Name, string Vip, int NodePort, IReadOnlyList<string> Backends)
{
    public const int Port = 80;
}

/// <summary>Very many services, one of which is real: the middle one, since rules that are walked one by one cost half of them on average.</summary>
internal static class ServiceSet
{
    private const int PerFile = 100;

    /// <param name="real">Addresses of the middle one's backends; the others' exist nowhere.</param>
    public static IReadOnlyList<BenchService> Make(int count, IReadOnlyList<string> real, int nodePort = 0) =>
        [.. Enumerable.Range(0, count).Select(i => new BenchService(
            string.Create(CultureInfo.InvariantCulture, $"s{i}"), Vip(i), i == count / 2 ? nodePort : 0,
            i == count / 2 ? real : [.. Enumerable.Range(0, real.Count).Select(b => Nowhere((i * real.Count) + b))]))];

    public static BenchService Target(IReadOnlyList<BenchService> services) => services[services.Count / 2];

    /// <summary>Writes the services as the agent reads them.</summary>
    public static void WriteConfig(NodeBox box, IReadOnlyList<BenchService> services)
    {
        foreach (var chunk in services.Chunk(PerFile))
        {
            var text = new StringBuilder();
            foreach (var service in chunk)
                text.Append(Manifest(service)).Append("---\n");
            box.WriteConfig($"10-{chunk[0].Name}.yaml", text.ToString());
        }
    }

    private static string Manifest(BenchService service) => string.Create(CultureInfo.InvariantCulture, $$"""
        apiVersion: v1
        kind: Service
        metadata: { name: {{service.Name}}, namespace: default }
        spec:
          type: {{(service.NodePort == 0 ? "ClusterIP" : "NodePort")}}
          clusterIP: "{{service.Vip}}"
          ports: [ { port: {{BenchService.Port}}{{(service.NodePort == 0 ? "" : $", nodePort: {service.NodePort}")}} } ]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: { name: {{service.Name}}-a, namespace: default, labels: { kubernetes.io/service-name: {{service.Name}} } }
        addressType: IPv4
        ports: [ { port: {{BenchService.Port}} } ]
        endpoints:
        {{string.Join('\n', service.Backends.Select(b => $"- {{ addresses: [ \"{b}\" ], conditions: {{ ready: true }} }}"))}}

        """);

    private static string Vip(int number) => string.Create(CultureInfo.InvariantCulture, $"10.{96 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}");

    private static string Nowhere(int number) => string.Create(CultureInfo.InvariantCulture, $"10.{1 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}");
}

using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>The same two pods with policy in the kernel and without any mesh.</summary>
internal static class Layer4
{
    public static void Run(int rounds, int seconds)
    {
        using var plain = new NodeBox();
        using var meshed = new NodeBox();
        var (plainClient, plainServer) = Pods(plain);
        var (client, server) = Pods(meshed);
        meshed.WriteConfig("policy.yaml", Manifests.AllowIngress("clients", "app: server", "app: client", 80));
        meshed.WriteConfig("deny.yaml", Manifests.DefaultDeny("Ingress"));
        meshed.WriteConfig("svc.yaml", Manifests.Service("web", "app: server", "10.96.0.10", "http:80:80"));
        using var agent = meshed.StartAgent().MustBeReady();

        var keepAlive = new Report("Same-node keep-alive L4, policy on, against the same pods with no mesh");
        var connects = new Report("Same-node new connections, policy on, against the same pods with no mesh");
        for (var i = 0; i < rounds; i++)
        {
            keepAlive.Add("no mesh", Measure.Wrk(plainClient.Netns, $"http://{plainServer.Address}/", seconds, 16, []));
            keepAlive.Add("nodemesh", Measure.Wrk(client.Netns, "http://10.96.0.10/", seconds, 16, [agent.Pid]));
            connects.Add("no mesh", Measure.Wrk(plainClient.Netns, $"http://{plainServer.Address}/", seconds, 16, [], "-H", "Connection: close"));
            connects.Add("nodemesh", Measure.Wrk(client.Netns, "http://10.96.0.10/", seconds, 16, [agent.Pid], "-H", "Connection: close"));
        }

        keepAlive.Print("no mesh");
        connects.Print("no mesh");
        Console.WriteLine($"  aim: keep-alive requests/s >= 0.97 of no mesh; agent resident {agent.ResidentBytes / 1048576.0:0.0} MiB");
    }

    private static (PodBox Client, PodBox Server) Pods(NodeBox box)
    {
        box.AddNamespace("default");
        var client = box.AddPod("client", labels: "app: client");
        var server = box.AddPod("server", labels: "app: server");
        server.StartNginx("server");
        return (client, server);
    }
}

using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>The same two pods with policy in the kernel and without any mesh, by turns: the agent comes and is cleaned up each round.</summary>
internal static class Layer4
{
    public static void Run(int rounds, int seconds)
    {
        using var box = new NodeBox();
        var client = box.AddPod("client");
        var server = box.AddServer("server");
        box.WriteConfig("policy.yaml", Manifests.AllowIngress("clients", "app: server", "app: client", 80));
        box.WriteConfig("deny.yaml", Manifests.DefaultDeny("Ingress"));
        box.WriteConfig("svc.yaml", Manifests.Service("web", "app: server", "10.96.0.10", "http:80:80"));

        var keepAlive = new Report("Same-node keep-alive L4, policy on, against the same pods with no mesh");
        var connects = new Report("Same-node new connections, policy on, against the same pods with no mesh");
        var url = $"http://{server.Address}/";
        for (var i = 0; i < rounds; i++)
        {
            keepAlive.Add("no mesh", Measure.Wrk(client.Netns, url, seconds, 16, []));
            connects.Add("no mesh", Measure.Wrk(client.Netns, url, seconds, 16, [], "-H", "Connection: close"));
            using (var agent = box.StartAgent().MustBeReady())
            {
                keepAlive.Add("nodemesh", Measure.Wrk(client.Netns, url, seconds, 16, [agent.Pid]));
                connects.Add("nodemesh", Measure.Wrk(client.Netns, url, seconds, 16, [agent.Pid], "-H", "Connection: close"));
                connects.Add("nodemesh, VIP", Measure.Wrk(client.Netns, "http://10.96.0.10/", seconds, 16, [agent.Pid], "-H", "Connection: close"));
            }

            box.CleanUpAgent();
        }

        keepAlive.Print("no mesh");
        Console.WriteLine("  aim: requests/s >= 0.97 of no mesh");
        connects.Print("no mesh");
    }
}

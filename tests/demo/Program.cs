using NodeMesh.Demo;
using NodeMesh.Testing;

var story = new Story();
string id, cgroup, bpffs;
Console.WriteLine("NodeMesh on one machine: network namespaces play a node, four pods and the world outside; all traffic is real.");

using (var world = new World())
{
    (id, cgroup, bpffs) = (world.Box.Id, world.Box.Cgroup, world.Box.Bpffs);
    var agent = Tell(world);
    agent.Dispose();
}

story.Chapter("Leaving");
story.Saw(!Shell.Run("ip", ["netns", "list"]).Output.Contains(id, StringComparison.Ordinal), "no namespace is left", id + "-*");
story.Saw(!Directory.Exists(cgroup) && !Directory.Exists(bpffs), "no cgroup, process, link or pin is left", $"{cgroup}, {bpffs}");
return story.End();

AgentProcess Tell(World world)
{
    var client = world.Client.Netns;

    story.Chapter("One agent starts; a directory of YAML is its configuration, no cluster needed");
    var agent = world.Box.StartAgent("--access-log", "text").MustBeReady();
    story.Say($"pods: client {world.Client.Address}, web-v1 {world.V1.Address}, web-v2 {world.V2.Address}, db {world.Db.Address}");
    var ready = agent.Cli("status");
    story.Saw(ready.ExitCode == 0, "the agent is ready and its four pods are attached, no sidecar in any of them", $"{agent.Cli("endpoints").Output.Split('\n').Count(l => l.Contains("10.244.0.", StringComparison.Ordinal))} endpoints");

    story.Chapter("A Service address, answered in the kernel at connect(2): no proxy, no per-packet cost");
    var plain = client.Curl($"http://{World.PlainVip}/hello");
    story.Saw(plain.Body.StartsWith("v1 GET", StringComparison.Ordinal), $"client -> {World.PlainVip} reached web-v1", plain.Body);

    story.Chapter("An HTTPRoute: 90/10 between two versions, a header picks one, a path is rewritten");
    var (one, two) = world.Ask(300);
    story.Saw(one + two == 300 && two is > 5 and < 75, "300 requests were split about 90/10", $"v1 {one}, v2 {two}");
    var header = client.Curl($"http://{World.Vip}/x", "-H", "x-version: v2");
    story.Saw(header.Body.StartsWith("v2 GET", StringComparison.Ordinal), "the header 'x-version: v2' went to web-v2", header.Body);
    var rewritten = client.Curl($"http://{World.Vip}/api/users");
    story.Saw(rewritten.Body.StartsWith("v1 GET /internal/users", StringComparison.Ordinal), "/api/users arrived as /internal/users, from the client's own address", rewritten.Body);

    story.Chapter("A NetworkPolicy: only web-v1 may reach the database");
    story.Saw(client.Curl($"http://{world.Db.Address}/").Status == 200, "before, the client reaches it", "200");
    world.Box.WriteConfig("db-policy.yaml", World.DbPolicy);
    Eventually.True(() => client.Curl($"http://{world.Db.Address}/", "-m", "1").Status == 0, "the policy is in force");
    story.Saw(true, "after, the client's connection is refused in the kernel", "no answer");
    story.Saw(world.V1.Netns.Curl($"http://{world.Db.Address}/").Status == 200, "and web-v1 still reaches it", "200");

    story.Chapter("A MeshPolicy: the web pods answer GET and HEAD, nothing else");
    world.Box.WriteConfig("methods.yaml", World.MethodPolicy);
    Eventually.True(() => client.Curl($"http://{World.Vip}/", "-X", "DELETE").Status == 403, "the policy is in force");
    story.Saw(true, "DELETE is refused by the proxy", "403");
    var get = client.Curl($"http://{World.Vip}/");
    story.Saw(get.Status == 200, "GET passes", get.Body);

    story.Chapter("From outside the node: HTTPS to a Gateway, TLS ended by the agent, certificate from a Secret");
    world.Box.WriteConfig("gateway.yaml", world.Gateway());
    HttpAnswer Outside() => world.Box.Outside.Curl($"https://{World.Host}:8443/", "--resolve", $"{World.Host}:8443:{NodeBox.NodeAddress}", "--cacert", world.Certificate);
    Eventually.True(() => Outside().Status == 200, "the Gateway answers");
    story.Saw(true, $"https://{World.Host}:8443/ from {NodeBox.OutsideAddress}, certificate verified", Outside().Body);

    story.Chapter("A YAML file is edited while traffic flows");
    using (var load = Load(client, 3, $"http://{World.Vip}/live"))
    {
        world.Box.WriteConfig("route.yaml", World.RouteSplit(0, 100));
        Eventually.True(() => world.Ask(20) is (0, 20), "the new weights are in force");
        story.Saw(true, "with weights 0/100 the next requests all went to web-v2", "20 of 20");
        load.WaitForExit(TimeSpan.FromMinutes(1));
        story.Saw(Clean(load.Output), "no request of the running load failed", Rate(load.Output));
    }

    story.Chapter("The agent is killed (SIGKILL): the kernel goes on without it, and it comes back to what is there");
    using (var load = Load(world.V1.Netns, 4, $"http://{world.Db.Address}/"))
    {
        agent.Kill();
        story.Saw(client.Curl($"http://{world.Db.Address}/", "-m", "0.3").Status == 0, "with the agent dead the NetworkPolicy still refuses the client", "no answer");
        story.Saw(world.V1.Netns.Curl($"http://{world.Db.Address}/").Status == 200, "and what was allowed still passes", "200");
        agent.Dispose();
        agent = world.Box.StartAgent("--access-log", "text").MustBeReady();
        var writes = agent.Metric("nodemesh_datapath_writes_total");
        story.Saw(writes == 0, "the new agent adopted everything with zero map writes", $"{writes} writes");
        load.WaitForExit(TimeSpan.FromMinutes(1));
        story.Saw(Clean(load.Output), "no L4 request failed meanwhile", Rate(load.Output));
    }

    story.Saw(client.Curl($"http://{World.Vip}/").Status == 200, "and HTTP routing is back", "200");
    _ = client.Curl($"http://{World.Vip}/", "-X", "DELETE");

    story.Chapter("The metrics page shows all of it");
    story.Saw(agent.Metric("nodemesh_datapath_drops_total{reason=\"default_deny\"") > 0, "packets the NetworkPolicy refused", $"{agent.Metric("nodemesh_datapath_drops_total{reason=\"default_deny\"")}");
    story.Saw(agent.Metric("nodemesh_proxy_requests_total") > 0, "requests the proxy served since it came back", $"{agent.Metric("nodemesh_proxy_requests_total")}");
    story.Saw(agent.Metric("nodemesh_plan_revision") > 0, "the revision of the plan in force", $"{agent.Metric("nodemesh_plan_revision")}");
    return agent;
}

// An answer that takes long on a busy machine is not lost.
static ChildProcess Load(Netns from, int seconds, string url)
{
    var wrk = from.Start("wrk", "-t1", "-c4", $"-d{seconds}", "--timeout", "30s", url);
    Eventually.True(() => wrk.HasExited || from.Run("sh", "-c", "ss -Htn state established | grep -q .").ExitCode == 0, "the load runs");
    return wrk;
}

static bool Clean(string wrk) =>
    wrk.Contains("Requests/sec", StringComparison.Ordinal) && !wrk.Contains("Socket errors", StringComparison.Ordinal) && !wrk.Contains("Non-2xx", StringComparison.Ordinal);

static string Rate(string wrk) =>
    wrk.Split('\n').FirstOrDefault(l => l.Contains("requests in", StringComparison.Ordinal))?.Trim() ?? wrk;

using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>GET through the agent with route, policy and metrics on, against nginx and HAProxy as reverse proxies in the node's namespace.</summary>
internal static class Layer7
{
    public static void Run(int rounds, int seconds)
    {
        using var box = new NodeBox();
        var client = box.AddPod("client");
        var server = box.AddServer("server");
        box.WriteConfig("svc.yaml", Manifests.Service("web", "app: server", "10.96.0.10", "http:80:80"));
        box.WriteConfig("route.yaml", Manifests.Route("web", "web", """
            - matches: [ { headers: [ { name: x-version, value: "2" } ] } ]
              backendRefs: [ { name: web, port: 80 } ]
            - matches: [ { path: { type: PathPrefix, value: / } } ]
              backendRefs: [ { name: web, port: 80 } ]
            """));
        box.WriteConfig("policy.yaml", Manifests.AllowMethods("read-only", "app: server", "GET, HEAD", 80));
        using var agent = box.StartAgent("--proxy-workers", "1").MustBeReady();
        using var nginx = StartNginx(box, server.Address);
        using var haproxy = StartHaproxy(box, server.Address);
        Eventually.True(() => client.Netns.Curl("http://10.96.0.10/").Status == 200, "the agent serves");
        Eventually.True(() => client.Netns.Curl("http://10.244.0.1:8001/").Status == 200, "nginx serves");
        Eventually.True(() => client.Netns.Curl("http://10.244.0.1:8002/").Status == 200, "HAProxy serves");

        var report = new Report("L7 GET, keep-alive, one worker each");
        Measure.Wrk(client.Netns, "http://10.96.0.10/", 2, 16, [agent.Pid]);
        var allocated = agent.Metric("nodemesh_process_allocated_bytes_total");
        double served = 0;
        for (var i = 0; i < rounds; i++)
        {
            var ours = Measure.Wrk(client.Netns, "http://10.96.0.10/", seconds, 16, [agent.Pid]);
            served += ours.Requests;
            report.Add("nodemesh", ours);
            report.Add("nginx", Measure.Wrk(client.Netns, "http://10.244.0.1:8001/", seconds, 16, Measure.Family(nginx.Pid)));
            report.Add("haproxy", Measure.Wrk(client.Netns, "http://10.244.0.1:8002/", seconds, 16, Measure.Family(haproxy.Pid)));
        }

        allocated = agent.Metric("nodemesh_process_allocated_bytes_total") - allocated;
        var better = report.Median("nginx", r => r.ProcessMicrosPerRequest) <= report.Median("haproxy", r => r.ProcessMicrosPerRequest) ? "nginx" : "haproxy";
        report.Print(better);
        Console.WriteLine($"  aim: process CPU per request <= 0.90 of {better}");
        Console.WriteLine($"  allocated by the whole agent while serving: {allocated / served:0.000} bytes per request (aim: 0; control plane and scrapes included)");
        Console.WriteLine($"  agent resident after load: {agent.ResidentBytes / 1048576.0:0.0} MiB");
    }

    private static ChildProcess StartNginx(NodeBox box, string backend) => box.Node.StartNginx(Path.Combine(box.WorkDir, "nginx-proxy"), $$"""
          upstream web { server {{backend}}:80; keepalive 64; keepalive_requests 100000000; }
          server {
            listen 10.244.0.1:8001;
            location / {
              limit_except GET HEAD { deny all; }
              proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
              proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-Proto http;
            }
          }
        """);

    private static ChildProcess StartHaproxy(NodeBox box, string backend)
    {
        var config = Path.Combine(box.WorkDir, "haproxy.cfg");
        File.WriteAllText(config, $$"""
            global
              nbthread 1
              maxconn 4096
            defaults
              mode http
              timeout connect 5s
              timeout client 1m
              timeout server 1m
              http-reuse always
            frontend in
              bind 10.244.0.1:8002
              http-request deny unless { method GET HEAD }
              http-request set-header X-Request-Id %[uuid()]
              http-request set-header X-Forwarded-Proto http
              default_backend web
            backend web
              server one {{backend}}:80

            """);
        return box.Node.Start("haproxy", "-db", "-f", config);
    }
}

using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>A host behind the outside world's router, on a link with an MTU of 1000, of which its own offers of a segment size say nothing.</summary>
internal sealed class FarHost
{
    public const string Address = "198.51.100.2";

    private readonly NodeBox _box;
    private readonly string _netns;

    public FarHost(NodeBox box)
    {
        _box = box;
        _netns = $"{box.Id}-far";
        Shell.Script($"""
            ip netns add {_netns}
            ip -n {_netns} link set lo up
            ip -n {box.Outside.Name} link add far0 mtu 1000 type veth peer name eth0 mtu 1000 netns {_netns}
            ip -n {box.Outside.Name} addr add 198.51.100.1/24 dev far0
            ip -n {box.Outside.Name} link set far0 up
            ip -n {_netns} addr add {Address}/24 dev eth0
            ip -n {_netns} link set eth0 up
            ip -n {_netns} route add default via 198.51.100.1 advmss 1460
            ip -n {box.Node.Name} route add 198.51.100.0/24 via {NodeBox.OutsideAddress}
            ip -n {box.Outside.Name} route add 10.244.0.0/16 via {NodeBox.NodeAddress}
            nsenter --net=/run/netns/{box.Outside.Name} sysctl -qw net.ipv4.ip_forward=1
            """).MustSucceed("making the far host");
    }

    public Netns Netns => _box.InNamespace(_netns).Unhooked;

    /// <summary>An nginx that takes uploads.</summary>
    public void StartSink() => Netns.StartNginx(Path.Combine(_box.WorkDir, "nginx-far"), """
          server { listen 80; location / { return 200 "far\n"; } location /upload { client_body_in_file_only clean; proxy_pass http://127.0.0.1:81; } }
          server { listen 127.0.0.1:81; location / { return 200 "got it\n"; } }
        """);
}

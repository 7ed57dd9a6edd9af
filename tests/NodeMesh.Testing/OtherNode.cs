namespace NodeMesh.Testing;

/// <summary>Another node of the cluster on a link of its own to the box's node, with pods behind it. Without an agent it is a plain router.</summary>
/// <remarks>The link is 203.0.113.0/24 and 2001:db8:1::/64, the box's node is .1 on it and this one .2; pods are 10.244.1.N and fd00:244:1::N.</remarks>
public sealed class OtherNode
{
    /// <summary>Of the box's node on the link: what pods of this node see as the client where the box's node stands in for one.</summary>
    public const string BoxAddress = "203.0.113.1";
    public const string BoxAddress6 = "2001:db8:1::1";
    public const string Address = "203.0.113.2";
    public const string Address6 = "2001:db8:1::2";
    public const string Name = "other";

    private readonly NodeBox _box;
    private int _pods;

    public OtherNode(NodeBox box)
    {
        _box = box;
        Netns = box.InNamespace($"{box.Id}-other").Unhooked;
        Shell.Script($"""
            ip netns add {Netns.Name}
            ip -n {Netns.Name} link set lo up
            nsenter --net=/run/netns/{Netns.Name} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
            ip -n {box.Node.Name} link add eth1 type veth peer name eth0 netns {Netns.Name}
            ip -n {box.Node.Name} addr add {BoxAddress}/24 dev eth1
            ip -n {box.Node.Name} addr add {BoxAddress6}/64 dev eth1 nodad
            ip -n {box.Node.Name} link set eth1 up
            ip -n {Netns.Name} addr add {Address}/24 dev eth0
            ip -n {Netns.Name} addr add {Address6}/64 dev eth0 nodad
            ip -n {Netns.Name} link set eth0 up
            ip -n {Netns.Name} route add default via {BoxAddress}
            ip -n {Netns.Name} -6 route add default via {BoxAddress6}
            ip -n {box.Node.Name} route add 10.244.1.0/24 via {Address}
            ip -n {box.Node.Name} -6 route add fd00:244:1::/64 via {Address6}
            """).MustSucceed("making the other node");
        box.WriteConfig("00-other-node.yaml", $$"""
            apiVersion: v1
            kind: Node
            metadata: { name: {{Name}} }
            status:
              addresses:
              - { type: InternalIP, address: {{Address}} }
              - { type: InternalIP, address: "{{Address6}}" }
            """);
    }

    public Netns Netns { get; }

    /// <summary>An agent of its own, on the same configuration; does not wait for it.</summary>
    public AgentProcess StartAgent(params string[] more)
    {
        var bpffs = Path.Combine(_box.Bpffs, Name);
        Directory.CreateDirectory(bpffs);
        return new(new AgentPlace(Netns, Name, _box.OtherCgroup, Path.Combine(_box.WorkDir, "run-other"), bpffs), ["--config-dir", _box.ConfigDir], [], more);
    }

    /// <summary>A pod behind this node and, in the configuration, its Pod object.</summary>
    public PodBox AddPod(string name, string? labels = null)
    {
        var pod = new PodBox(_box, name, "default", ++_pods + 1, Name, 1);
        pod.Connect(Netns, "10.244.1.1");
        _box.WriteConfig($"pod-default-{name}.yaml", pod.Manifest(labels ?? $"app: {name}", ""));
        return pod;
    }

    /// <summary>A pod in which an nginx says the pod's name on port 80.</summary>
    public PodBox AddServer(string name, string? labels = null)
    {
        var pod = AddPod(name, labels);
        pod.StartNginx(name);
        return pod;
    }
}

using System.Globalization;

namespace NodeMesh.Testing;

/// <summary>A pod of a box.</summary>
public sealed class PodBox
{
    private readonly NodeBox _box;
    private readonly string _node;

    /// <param name="subnet">0 the box's, 1 the other node's.</param>
    internal PodBox(NodeBox box, string name, string ns, int number, string node = NodeBox.NodeName, int subnet = 0)
    {
        _box = box;
        _node = node;
        Name = name;
        Namespace = ns;
        Address = string.Create(CultureInfo.InvariantCulture, $"10.244.{subnet}.{number}");
        Address6 = string.Create(CultureInfo.InvariantCulture, $"{(subnet == 0 ? "fd00:244" : "fd00:244:1")}::{number:x}");
        HostInterface = string.Create(CultureInfo.InvariantCulture, $"veth{number}");
        Netns = new Netns(string.Create(CultureInfo.InvariantCulture, $"{box.Id}-p{subnet}x{number}"), box);
        if (subnet != 0)
            Netns = Netns.Unhooked;
    }

    public string Name { get; }

    public string Namespace { get; }

    public string Address { get; }

    public string Address6 { get; }

    public string HostInterface { get; }

    public Netns Netns { get; }

    /// <summary>Not empty: the pod's object names no network namespace, and the agent must find it by the pod's processes.</summary>
    public string Uid { get; init; } = "";

    /// <summary>The kubelet's, of the cgroupfs driver. Within the box's.</summary>
    public string Cgroup => Path.Combine(_box.Cgroup, "kubepods", "burstable", $"pod{Uid}");

    /// <summary>A process in the pod's cgroup and network namespace that does nothing, as a runtime's pause container.</summary>
    public ChildProcess StartPause() => new(NodeBox.Enter(MakeContainer("pause"), Netns.Name, ["sleep", "infinity"]));

    /// <summary>The cgroup of a container, in the pod's.</summary>
    internal string MakeContainer(string name)
    {
        var container = Path.Combine(Cgroup, name);
        Directory.CreateDirectory(container);
        return container;
    }

    /// <summary>An nginx that says <paramref name="says"/> and shows what it was asked, on both families; /slow takes about three seconds.</summary>
    public ChildProcess StartNginx(string says, int port = 80) => Netns.StartNginx(
        Path.Combine(_box.WorkDir, string.Create(CultureInfo.InvariantCulture, $"nginx-{Name}-{port}")), $$"""
          default_type text/plain;
          server {
            listen 0.0.0.0:{{port}} reuseport backlog=4096;
            listen [::]:{{port}} ipv6only=on reuseport backlog=4096;
            location / { return 200 "{{says}} $request_method $request_uri from $remote_addr host $http_host\n"; }
            location /slow { limit_rate 1000; return 200 "{{new string('s', 3999)}}\n"; }
            location /headers { return 200 "{{says}} xff=$http_x_forwarded_for proto=$http_x_forwarded_proto id=$http_x_request_id added=$http_x_added\n"; }
          }
        """);

    /// <summary>Makes the pod's namespace and the veth pair between it and its node.</summary>
    /// <param name="gateway">An address of the node, IPv4.</param>
    internal void Connect(Netns node, string gateway) => Shell.Script($"""
        ip netns add {Netns.Name}
        nsenter --net=/run/netns/{Netns.Name} sysctl -qw net.ipv6.conf.default.accept_dad=0
        ip -n {Netns.Name} link set lo up
        ip -n {node.Name} link add {HostInterface} type veth peer name eth0 netns {Netns.Name}
        ip -n {Netns.Name} addr add {Address}/32 dev eth0
        ip -n {Netns.Name} addr add {Address6}/128 dev eth0 nodad
        ip -n {Netns.Name} link set eth0 up
        ip -n {node.Name} addr add {gateway}/32 dev {HostInterface}
        ip -n {node.Name} addr add fe80::1/64 dev {HostInterface} nodad
        ip -n {node.Name} link set {HostInterface} up
        ip -n {node.Name} route add {Address}/32 dev {HostInterface}
        ip -n {node.Name} -6 route add {Address6}/128 dev {HostInterface}
        ip -n {Netns.Name} route add {gateway} dev eth0 scope link
        ip -n {Netns.Name} route add default via {gateway}
        ip -n {Netns.Name} -6 route add default via fe80::1 dev eth0
        """).MustSucceed($"making pod {Name}");

    /// <param name="hasAddress">Whether the API knows it already.</param>
    internal string Manifest(string labels, string ports, bool hasAddress = true) => $$"""
        apiVersion: v1
        kind: Pod
        metadata:
          name: {{Name}}
          namespace: {{Namespace}}
          labels: { {{labels}} }
          {{(Uid.Length > 0 ? $"uid: {Uid}" : $"annotations: {{ nodemesh.io/netns: {Netns.Name} }}")}}
        spec:
          nodeName: {{_node}}
          containers:
          - name: main
            image: example
            ports: [ {{ports}} ]
        status: { podIPs: [ {{(hasAddress ? $"{{ ip: {Address} }}, {{ ip: \"{Address6}\" }}" : "")}} ] }
        """;
}

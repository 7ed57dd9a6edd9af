using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Narrow links and ICMP errors on the way of translated connections.</summary>
public sealed class ServicePathTests
{
    private const int Size = 1_000_000;

    private NodeBox _box = null!;
    private OtherNode _other = null!;
    private PodBox _client = null!;
    private PodBox _near = null!;
    private PodBox _far = null!;
    private FarHost _world = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _other = new OtherNode(_box);
        _client = _box.AddPod("client");
        _near = _box.AddPod("near");
        _far = _other.AddPod("far");
        _world = new FarHost(_box);
        foreach (var pod in new[] { _near, _far })
        {
            pod.Netns.StartServer(80, "socat", "TCP6-LISTEN:80,ipv6only=0,fork,reuseaddr", "EXEC:wc -c");
            pod.Netns.StartServer(81, "socat", "TCP6-LISTEN:81,ipv6only=0,fork,reuseaddr", $"EXEC:head -c {Size} /dev/zero");
        }

        // Not a device's MTU: the ends know those of their own links.
        _other.Netns.Script($"""
            ip route replace {_far.Address}/32 dev {_far.HostInterface} mtu 1000
            ip -6 route replace {_far.Address6}/128 dev {_far.HostInterface} mtu 1300
            """).MustSucceed("a narrow link behind the other node");
        _box.WriteConfig("near.yaml", Manifests.Service("near", "app: near", "10.96.0.10", "in:80:80:TCP::30080 out:81:81:TCP::30081 shut:82:82:UDP::30082", vip6: "fd00:96::10", more: "type: NodePort"));
        _box.WriteConfig("far.yaml", Manifests.Service("far", "app: far", "10.96.0.11", "in:80:80:TCP::30090 out:81:81:TCP::30091 shut:82:82:UDP::30092", vip6: "fd00:96::11", more: "type: NodePort"));
        Shell.Script($"ip -n {_box.Node.Name} route add default via {NodeBox.OutsideAddress}; ip -n {_box.Node.Name} -6 route add default via {NodeBox.OutsideAddress6}").MustSucceed("default routes");
        _agent = _box.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [TestCase("TCP4:192.0.2.1:30090")]
    [TestCase("TCP6:[2001:db8::1]:30090")]
    public void An_upload_learns_of_a_narrow_link_behind_the_node(string address) => Uploads(_box.Outside, address);

    [TestCase("TCP4:10.96.0.11:80")]
    [TestCase("TCP6:[fd00:96::11]:80")]
    [TestCase("TCP4:10.96.0.10:80")]
    [TestCase("TCP6:[fd00:96::10]:80")]
    public void So_does_one_of_a_process_of_the_node_outside_the_cgroup(string address) => Uploads(_box.Node.Unhooked, address);

    [TestCase("TCP4:10.96.0.11:81")]
    [TestCase("TCP6:[fd00:96::10]:81")]
    public void A_big_download_of_such_a_process_arrives(string address) => Downloads(_box.Node.Unhooked, address);

    [TestCase("TCP4:192.0.2.1:30091")]
    [TestCase("TCP4:192.0.2.1:30081")]
    public void A_download_learns_of_a_narrow_link_before_the_client(string address) => Downloads(_world.Netns, address);

    [TestCase("TCP4:192.0.2.1:30080")]
    [TestCase("TCP6:[2001:db8::1]:30080")]
    public void A_big_upload_reaches_a_backend_of_this_node(string address) => Uploads(_box.Outside, address);

    [TestCase("TCP4:192.0.2.1:30081")]
    [TestCase("TCP6:[2001:db8::1]:30081")]
    [TestCase("TCP4:192.0.2.1:30091")]
    [TestCase("TCP6:[2001:db8::1]:30091")]
    public void A_big_download_arrives(string address) => Downloads(_box.Outside, address);

    [TestCase("UDP4:192.0.2.1:30092")]
    [TestCase("UDP6:[2001:db8::1]:30092")]
    [TestCase("UDP4:192.0.2.1:30082")]
    [TestCase("UDP6:[2001:db8::1]:30082")]
    public void A_backend_s_refusal_reaches_the_client_as_the_service_s(string address) =>
        Assert.That(_box.Outside.Ask(address).Errors, Does.Contain("Connection refused"));

    /// <summary>What traceroute sends, one hop further each time; the answer tells the sender about the address that it knows.</summary>
    [TestCase("10.96.0.11", 82, 1)]
    [TestCase("10.96.0.11", 82, 2)]
    [TestCase("fd00:96::11", 82, 1)]
    [TestCase("fd00:96::11", 82, 2)]
    [TestCase("10.96.0.10", 82, 1)]
    [TestCase("fd00:96::10", 82, 1)]
    public void A_pod_hears_of_a_packet_that_ran_out_of_hops_on_its_way_to_a_service(string service, int port, int hops) =>
        Assert.That(OutOfHops(_client.Netns.Unhooked, service, port, hops), Is.EqualTo($"{service} {port}"));

    [TestCase("192.0.2.1", 30092, 1)]
    [TestCase("192.0.2.1", 30092, 2)]
    [TestCase("2001:db8::1", 30092, 1)]
    [TestCase("2001:db8::1", 30092, 2)]
    [TestCase("192.0.2.1", 30082, 1)]
    public void The_world_hears_of_a_packet_that_ran_out_of_hops_behind_a_port_of_the_node(string node, int port, int hops) =>
        Assert.That(OutOfHops(_box.Outside, node, port, hops), Is.EqualTo($"{node} {port}"));

    /// <summary>About which destination ICMP says that a datagram's time was exceeded: what the socket's error queue has.</summary>
    private static string OutOfHops(Netns from, string address, int port, int hops)
    {
        var answer = from.Run("python3", "-c", $"""
            import select, socket
            six = ":" in "{address}"
            s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
            level, hops, recverr = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 25) if six else (socket.IPPROTO_IP, socket.IP_TTL, 11)
            s.setsockopt(level, hops, {hops})
            s.setsockopt(level, recverr, 1)
            s.connect(("{address}", {port}))
            s.send(b"probe")
            waiting = select.poll()
            waiting.register(s, 0)
            assert waiting.poll(30000), "nothing came"
            _, ancillary, _, about = s.recvmsg(64, 512, socket.MSG_ERRQUEUE)
            icmp = ancillary[0][2]
            assert (icmp[5], icmp[6]) == ((3, 0) if six else (11, 0)), "type %d, code %d" % (icmp[5], icmp[6])
            print(*about[:2])
            """);
        return answer.Output.Trim() + answer.Errors;
    }

    [TestCase("UDP4:10.96.0.10:82")]
    [TestCase("UDP6:[fd00:96::10]:82")]
    [TestCase("UDP4:10.96.0.11:82")]
    [TestCase("UDP6:[fd00:96::11]:82")]
    public void So_it_reaches_a_process_of_the_node_outside_the_cgroup(string address) =>
        Assert.That(_box.Node.Unhooked.Ask(address).Errors, Does.Contain("Connection refused"));

    private static void Uploads(Netns from, string address)
    {
        var answer = from.Script($"head -c {Size} /dev/zero | socat -t 60 - {address}");
        Assert.That(answer.Output.Trim(), Is.EqualTo($"{Size}"), answer.Errors);
    }

    private static void Downloads(Netns from, string address)
    {
        var answer = from.Script($"socat -T 60 -u {address} - | wc -c");
        Assert.That(answer.Output.Trim(), Is.EqualTo($"{Size}"), answer.Errors);
    }
}

using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Service addresses that no hook saw at a socket: translated packet by packet.</summary>
public sealed class ServicePacketTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _near = null!;
    private OtherNode _other = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _other = new OtherNode(_box);
        _client = _box.AddPod("client");
        _near = _box.AddServer("near");
        _near.StartEcho(53);
        var far = _other.AddServer("far");
        far.StartEcho(53);
        const string Ports = "http:80:80 dns:53:53:UDP";
        _box.WriteConfig("near.yaml", Manifests.Service("near", "app: near", "10.96.0.10", Ports, vip6: "fd00:96::10"));
        _box.WriteConfig("far.yaml", Manifests.Service("far", "app: far", "10.96.0.11", Ports, vip6: "fd00:96::11"));
        _box.WriteConfig("none.yaml", Manifests.Service("none", "app: nobody", "10.96.0.12", Ports, vip6: "fd00:96::12"));
        _box.WriteConfig("own.yaml", Manifests.Service("own", "", "10.96.0.13", "http:80:8080", vip6: "fd00:96::13")
            + "\n---\n" + Manifests.Endpoints("own", "http:8080", [$"addresses: [ {NodeBox.NodeAddress} ]"])
            + "\n---\n" + Manifests.Endpoints("own", "http:8080", [$"addresses: [ \"{NodeBox.NodeAddress6}\" ]"], "IPv6"));
        _box.Node.StartServer(8080, "socat", "TCP6-LISTEN:8080,ipv6only=0,fork,reuseaddr", "SYSTEM:echo own");
        // As every node has, and as kube-proxy needs it: what the node itself sends to a service must have a way to begin with.
        Shell.Script($"ip -n {_box.Node.Name} route add default via {NodeBox.OutsideAddress}; ip -n {_box.Node.Name} -6 route add default via {NodeBox.OutsideAddress6}").MustSucceed("default routes");
        _agent = _box.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [TestCase("10.96.0.10", "near")]
    [TestCase("[fd00:96::10]", "near")]
    [TestCase("10.96.0.11", "far")]
    [TestCase("[fd00:96::11]", "far")]
    public void A_pod_s_connection_reaches_the_backend_under_the_pod_s_own_address(string vip, string backend)
    {
        var answer = _client.Netns.Unhooked.Curl($"http://{vip}/");
        Assert.That(answer.Body, Does.StartWith(backend + " "), answer.Errors);
        Assert.That(answer.SeenAs(), Is.EqualTo(vip.StartsWith('[') ? _client.Address6 : _client.Address));
    }

    [TestCase("UDP4:10.96.0.10:53")]
    [TestCase("UDP6:[fd00:96::10]:53")]
    [TestCase("UDP4-SENDTO:10.96.0.10:53")]
    [TestCase("UDP6-SENDTO:[fd00:96::10]:53")]
    [TestCase("UDP4-SENDTO:10.96.0.11:53")]
    [TestCase("UDP6-SENDTO:[fd00:96::11]:53")]
    public void A_pod_s_datagram_is_answered_by_the_service_address_also_in_fragments(string address) =>
        _client.Netns.Unhooked.MustEcho(address, 8, 5000);

    [TestCase("10.96.0.12")]
    [TestCase("[fd00:96::12]")]
    public void A_service_without_backends_refuses_a_pod(string vip)
    {
        var answer = _client.Netns.Unhooked.Curl($"http://{vip}/");
        Assert.That(answer.CurlExit, Is.EqualTo(7), answer.Errors);
        Assert.That(_client.Netns.Unhooked.Ask($"UDP{(vip.StartsWith('[') ? 6 : 4)}:{vip}:53").Errors, Does.Contain("Connection refused"));
    }

    [TestCase("10.96.0.10", "near", NodeBox.NodeAddress)]
    [TestCase("[fd00:96::10]", "near", NodeBox.NodeAddress6)]
    [TestCase("10.96.0.11", "far", OtherNode.BoxAddress)]
    [TestCase("[fd00:96::11]", "far", OtherNode.BoxAddress6)]
    public void A_process_of_this_node_outside_the_cgroup_is_served(string vip, string backend, string source)
    {
        var answer = _box.Node.Unhooked.Curl($"http://{vip}/", "-m", "20");
        Assert.That(answer.Body, Does.StartWith(backend + " "), answer.Errors);
        Assert.That(answer.SeenAs(), Is.EqualTo(source), "the node's address on the way to the backend");
    }

    [TestCase("UDP4:10.96.0.10:53")]
    [TestCase("UDP6:[fd00:96::10]:53")]
    [TestCase("UDP4-SENDTO:10.96.0.11:53")]
    [TestCase("UDP6-SENDTO:[fd00:96::11]:53")]
    public void A_datagram_of_such_a_process_is_answered_by_the_service_address_also_in_fragments(string address)
    {
        // So that the first datagram has to wait for the link address of the next hop.
        Shell.Script($"ip -n {_box.Node.Name} neigh flush all").MustSucceed("no neighbour is known");
        _box.Node.Unhooked.MustEcho(address, 8, 5000);
    }

    [TestCase("IP4-SENDTO:10.96.0.10:17")]
    [TestCase("IP4-SENDTO:10.96.0.11:17")]
    [TestCase("IP6-SENDTO:[fd00:96::10]:17,setsockopt-int=41:7:6")]
    [TestCase("IP6-SENDTO:[fd00:96::11]:17,setsockopt-int=41:7:6")]
    public void A_raw_socket_of_this_node_is_answered_by_the_service_address(string address)
    {
        // A UDP header from port 8755 to 53 of sixteen bytes; in IPv6 the kernel adds its checksum, at byte 6, in IPv4 there is none.
        var answer = _box.Node.Script($"printf '\\042\\063\\000\\065\\000\\020\\000\\000question' | socat -t 2 -T 5 - '{address}' | tr -cd a-z");
        Assert.That(answer.Output, Does.Contain("question"), answer.Errors);
    }

    [TestCase("10.96.0.12")]
    [TestCase("[fd00:96::12]")]
    public void A_service_without_backends_refuses_such_a_process(string vip)
    {
        var answer = _box.Node.Unhooked.Curl($"http://{vip}/", "-m", "20");
        Assert.That(answer.CurlExit, Is.EqualTo(7), answer.Errors);
        Assert.That(_box.Node.Unhooked.Ask($"UDP{(vip.StartsWith('[') ? 6 : 4)}:{vip}:53").Errors, Does.Contain("Connection refused"));
    }

    [TestCase("TCP4:10.96.0.13:80")]
    [TestCase("TCP6:[fd00:96::13]:80")]
    public void Such_a_process_reaches_another_of_the_same_node(string address)
    {
        var answer = _box.Node.Unhooked.Ask(address, "");
        Assert.That(answer.Output, Does.StartWith("own"), answer.Errors);
    }

    [TestCase("10.96.0.10", "near")]
    [TestCase("10.96.0.11", "far")]
    public void Such_a_process_is_served_where_reverse_paths_are_checked_strictly(string vip, string backend)
    {
        _box.Node.Script("sysctl -qw net.ipv4.conf.all.rp_filter=1").MustSucceed("strict checks");
        try
        {
            var answer = _box.Node.Unhooked.Curl($"http://{vip}/", "-m", "20");
            Assert.That(answer.Body, Does.StartWith(backend + " "), answer.Errors);
        }
        finally
        {
            _box.Node.Script("sysctl -qw net.ipv4.conf.all.rp_filter=0").MustSucceed("no checks");
        }
    }

    [TestCase("10.96.0.10")]
    [TestCase("[fd00:96::10]")]
    public void A_pod_reaches_itself_by_its_service(string vip)
    {
        Assert.That(_near.Netns.Curl($"http://{vip}/").Body, Does.StartWith("near "), "translated at the socket");
        var answer = _near.Netns.Unhooked.Curl($"http://{vip}/");
        Assert.That(answer.Body, Does.StartWith("near "), $"translated by packet: {answer.Errors}");
        Assert.That(answer.SeenAs(), Is.EqualTo(vip.Trim('[', ']')), "it sees the service as its client");
    }

    [TestCase("UDP4:10.96.0.10:53")]
    [TestCase("UDP6:[fd00:96::10]:53")]
    public void A_pod_asks_itself_by_its_service(string address) =>
        _near.Netns.Unhooked.MustEcho(address, 8, 5000);

    [TestCase("10.96.0.10", "near")]
    [TestCase("[fd00:96::10]", "near")]
    [TestCase("10.96.0.11", "far")]
    [TestCase("[fd00:96::11]", "far")]
    public void A_service_address_that_comes_in_from_the_world_is_served(string vip, string backend) =>
        Assert.That(_box.Outside.Curl($"http://{vip}/").Body, Does.StartWith(backend + " "));

    [TestCase("10.96.0.10", "near")]
    [TestCase("[fd00:96::10]", "near")]
    [TestCase("10.96.0.11", "far")]
    [TestCase("[fd00:96::11]", "far")]
    public void A_process_of_another_node_that_sends_to_a_service_address_is_served(string vip, string backend) =>
        Assert.That(_other.Netns.Curl($"http://{vip}/").Body, Does.StartWith(backend + " "));
}

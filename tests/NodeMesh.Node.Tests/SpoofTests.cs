using System.Buffers.Binary;
using System.Net;
using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>A pod that writes its own frames: neither policy nor its neighbours may suffer from it.</summary>
public sealed class SpoofTests
{
    private NodeBox _box = null!;
    private PodBox _attacker = null!;
    private PodBox _victim = null!;
    private PodBox _server = null!;
    private AgentProcess _agent = null!;
    private byte[] _hostMac = null!;

    [SetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _attacker = _box.AddPod("attacker");
        _victim = _box.AddPod("victim");
        _server = _box.AddServer("server");
        _hostMac = Convert.FromHexString(_box.Node.Script($"ip -o link show dev {_attacker.HostInterface} | sed 's/.*ether //; s/ .*//; s/://g'").Output.Trim());
        _agent = _box.StartAgent("--map-size", "tcp-connections=4096", "--map-size", "other-connections=4096", "--map-size", "fragments=512").MustBeReady();
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void An_address_that_it_gives_itself_reaches_nobody()
    {
        _attacker.Netns.Script("ip addr add 10.244.0.99/32 dev eth0; ip addr add fd00:244::99/128 dev eth0 nodad").MustSucceed("taking addresses");
        // Its own pass; and make its gateway known, of which it could not even ask in another name.
        foreach (var (own, server) in ((string, string)[])[(_attacker.Address, _server.Address), (_attacker.Address6, _server.Address6)])
            Assert.That(_attacker.Netns.Run("ping", "-c1", "-W20", "-I", own, server).ExitCode, Is.Zero, own);
        Assert.That(_attacker.Netns.Run("ping", "-c1", "-W1", "-I", "10.244.0.99", _server.Address).ExitCode, Is.Not.Zero);
        Assert.That(_attacker.Netns.Run("ping", "-c1", "-W1", "-I", "fd00:244::99", _server.Address6).ExitCode, Is.Not.Zero);
        Assert.That(Drops("spoofed_source"), Is.GreaterThanOrEqualTo(2));
    }

    [Test]
    public void Frames_of_its_own_making_are_judged_as_any_other()
    {
        _box.WriteConfig("deny.yaml", Manifests.DefaultDeny("Ingress"));
        Eventually.True(() => _victim.Netns.Curl($"http://{_server.Address}/", "-m", "2").Status == 0, "closed");
        var before = Drops("default_deny");
        Send([Frame(_attacker.Address, _server.Address, 4000), Frame(_attacker.Address, _server.Address, 4001)]);
        Eventually.True(() => Drops("default_deny") >= before + 2, "both were refused");
        Send([Frame(_victim.Address, _server.Address, 4000)]);
        Eventually.True(() => Drops("spoofed_source") >= 1, "another pod's name helps nothing");
    }

    [Test]
    public void A_flood_of_forged_frames_new_connections_and_fragments_leaves_others_connections_alone()
    {
        var go = Path.Combine(_box.WorkDir, "go");
        using var held = _victim.Netns.Start("/bin/sh", "-c", $"""
            (printf 'GET / HTTP/1.1\r\nHost: x\r\n'; while [ ! -e {go} ]; do sleep 0.1; done; printf 'Connection: close\r\n\r\n') | socat - TCP:{_server.Address}:80
            """);
        Eventually.True(() => _agent.Cli("conntrack", "list", "--state", "established").Output.Contains($"{_server.Address}:80", StringComparison.Ordinal), "the connection is there");
        // From here on what is forgotten is refused.
        _box.WriteConfig("deny.yaml", Manifests.DefaultDeny("Ingress"));
        _box.WriteConfig("allow.yaml", Manifests.AllowIngress("victim", "app: server", "app: victim", 80));
        Eventually.True(() => _attacker.Netns.Curl($"http://{_server.Address}/", "-m", "2").Status == 0, "closed to others");

        Send([.. Enumerable.Range(0, 8000).Select(i => Frame($"10.9.{i >> 8}.{i & 255}", _server.Address, 80))]);
        Send([.. Enumerable.Range(0, 12000).Select(i => Frame(_attacker.Address, $"198.51.{100 + (i >> 14)}.{i & 255}", (ushort)(1000 + i)))]);
        Send([.. Enumerable.Range(0, 4000).Select(i => Frame(_attacker.Address, "198.51.100.1", 53, proto: 17, fragmentId: (ushort)i))]);
        Eventually.True(() => Drops("spoofed_source") >= 1000, "the forged frames came", TimeSpan.FromSeconds(30));

        var large = _victim.Netns.Run("ping", "-c3", "-i0.2", "-W5", "-s", "4000", NodeBox.OutsideAddress);
        Assert.That(large.ExitCode, Is.Zero, "the victim's own fragments pass");
        File.WriteAllText(go, "");
        Assert.That(held.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.That(held.Output, Does.Contain("200 OK"));
    }

    private double Drops(string reason) => _agent.Metric($"nodemesh_datapath_drops_total{{reason=\"{reason}\"");

    /// <summary>By a packet socket, one write each.</summary>
    private void Send(byte[][] frames)
    {
        var file = Path.Combine(_box.WorkDir, "frames");
        File.WriteAllBytes(file, [.. frames.SelectMany(f => f)]);
        _attacker.Netns.Run(["socat", "-u", "-b", frames[0].Length.ToString(System.Globalization.CultureInfo.InvariantCulture), $"OPEN:{file},rdonly", "INTERFACE:eth0"], TimeSpan.FromSeconds(60))
            .MustSucceed("sending frames");
    }

    /// <summary>A SYN, or the first fragment of a datagram, to the node's end of the attacker's link.</summary>
    private byte[] Frame(string from, string to, ushort port, byte proto = 6, ushort fragmentId = 0)
    {
        var frame = new byte[14 + 20 + 20];
        _hostMac.CopyTo(frame, 0);
        (frame[6], frame[11], frame[12]) = (2, 1, 8);
        var ip = frame.AsSpan(14, 20);
        (ip[0], ip[8], ip[9]) = (0x45, 64, proto);
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], 40);
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], fragmentId);
        ip[6] = (byte)(proto == 17 ? 0x20 : 0);
        IPAddress.Parse(from).GetAddressBytes().CopyTo(ip[12..]);
        IPAddress.Parse(to).GetAddressBytes().CopyTo(ip[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Checksum(ip));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(34), 4000);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(36), port);
        (frame[46], frame[47]) = proto == 6 ? ((byte)0x50, (byte)2) : ((byte)0, (byte)0);
        return frame;
    }

    private static ushort Checksum(ReadOnlySpan<byte> header)
    {
        uint sum = 0;
        for (var i = 0; i < header.Length; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(header[i..]);
        while (sum > 0xffff)
            sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)~sum;
    }
}

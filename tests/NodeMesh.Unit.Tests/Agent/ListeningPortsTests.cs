using System.Net;
using System.Net.Sockets;
using NodeMesh.Agent.Hosting;
using NodeMesh.Model;
using NodeMesh.Native.Netlink;

namespace NodeMesh.Unit.Tests.Agent;

public sealed class ListeningPortsTests
{
    private const string Head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    private string _proc = "";

    [SetUp]
    public void SetUp()
    {
        _proc = Directory.CreateTempSubdirectory("nodemesh-proc-").FullName;
        Directory.CreateDirectory(Path.Combine(_proc, "net"));
        Directory.CreateDirectory(Path.Combine(_proc, "self/fd"));
        Directory.CreateDirectory(Path.Combine(_proc, "sys/net/ipv4"));
        File.WriteAllText(Path.Combine(_proc, "sys/net/ipv4/ip_local_port_range"), "32768\t60999\n");
        foreach (var table in new[] { "tcp", "tcp6", "udp", "udp6" })
            File.WriteAllText(Path.Combine(_proc, "net", table), Head);
    }

    [TearDown]
    public void TearDown() => Directory.Delete(_proc, recursive: true);

    private void Add(string table, string local, string state, int inode) =>
        File.AppendAllText(Path.Combine(_proc, "net", table), $"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100 0 0 10 0\n");

    [Test]
    public void Sees_who_listens_and_neither_connections_nor_clients_nor_ourselves()
    {
        Add("tcp", "0100007F:1F90", "0A", 1);
        Add("tcp", "00000000:7580", "0A", 2);
        Add("tcp", "00000000:7581", "0A", 3);
        Add("tcp", "010200C0:7582", "01", 4);
        Add("tcp6", "00000000000000000000000000000000:0050", "0A", 5);
        Add("udp", "00000000:0035", "07", 6);
        Add("udp", "00000000:9000", "07", 7);
        Add("udp", "010200C0:0036", "01", 8);
        File.CreateSymbolicLink(Path.Combine(_proc, "self/fd/9"), "socket:[3]");

        var ports = new ListeningPorts(procfs: _proc);
        Assert.That(ports.Refresh());
        Assert.That(ports.Current, Is.EquivalentTo(new[]
        {
            new BusyPort(Protocol.Tcp, IpAddr.Parse("127.0.0.1"), 8080),
            new BusyPort(Protocol.Tcp, IpAddr.FromIPv4(0), 30080),
            new BusyPort(Protocol.Tcp, default, 80),
            new BusyPort(Protocol.Udp, IpAddr.FromIPv4(0), 53),
        }));
        Assert.That(ports.Refresh(), Is.False, "nothing changed");
    }

    [TestCase("127.0.0.1")]
    [TestCase("::1")]
    public void Asks_the_kernel_who_listens(string address)
    {
        using var listeners = new TcpListeners();
        using var socket = new Socket(IPAddress.Parse(address).AddressFamily, SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        socket.Listen();
        var at = new BusyPort(Protocol.Tcp, IpAddr.Parse(address), (ushort)((IPEndPoint)socket.LocalEndPoint!).Port);

        var ports = new ListeningPorts(listeners, _proc);
        Assert.That(ports.Refresh());
        Assert.That(ports.Current, Does.Contain(at));
        File.CreateSymbolicLink(Path.Combine(_proc, "self/fd/9"), new FileInfo($"/proc/self/fd/{socket.Handle}").LinkTarget!);
        Assert.That(new ListeningPorts(listeners, _proc) is var own && own.Refresh() && own.Current.Contains(at), Is.False, "ourselves");
        socket.Close();
        ports.Refresh();
        Assert.That(ports.Current, Does.Not.Contain(at));
    }
}

using System.Net;
using System.Net.Sockets;
using k8s;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.ApiServer.Tests.Clusters;

/// <summary>The server of <see cref="NodeMesh.Testing"/>: what CI has.</summary>
internal sealed class InProcessCluster : ICluster
{
    private readonly IPEndPoint _address;
    private readonly string _admin;
    private InProcessApiServer _server;

    public InProcessCluster()
    {
        var socket = Listen(new IPEndPoint(IPAddress.Loopback, 0));
        _address = (IPEndPoint)socket.LocalEndPoint!;
        _server = InProcessApiServer.StartAsync(socket, new ObjectStore()).GetAwaiter().GetResult();
        _admin = _server.Guard();
        foreach (var ns in new[] { "default", "kube-system" })
            _server.Put("namespaces", $$"""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"{{ns}}"} }""");
    }

    public KubernetesClientConfiguration Admin => new() { Host = _server.Address, AccessToken = _admin };

    public KubernetesClientConfiguration Nobody => new() { Host = _server.Address };

    public string Log => string.Join('\n', _server.Requests.TakeLast(40));

    public void Kill() => _server.DisposeAsync().AsTask().GetAwaiter().GetResult();

    public void StartAgain()
    {
        var before = _server;

        // A real one's memory of events goes with it.
        before.Store.Compact();
        _server = InProcessApiServer.StartAsync(Listen(_address), before.Store).GetAwaiter().GetResult();
        _server.Guard(before);
    }

    public void Compact() => _server.Store.Compact();

    public void Dispose() => Kill();

    private static Socket Listen(IPEndPoint at)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

        // The connections of the one before may not all be over.
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(at);
        socket.Listen();
        return socket;
    }
}

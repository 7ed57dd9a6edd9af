using System.Buffers.Binary;
using System.Net.Sockets;
using Grpc.Net.Client;

namespace NodeMesh.Agent.Api;

/// <summary>gRPC over a Unix socket.</summary>
internal static class UnixSocketChannel
{
    private const int SolSocket = 1;
    private const int SoPeerCred = 17;

    /// <param name="mostBytes">Of an answer; null: as many as it has.</param>
    /// <param name="connected">Told the process at the other end, at each connection.</param>
    public static GrpcChannel For(string path, int? mostBytes, Action<int>? connected = null) => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler { ConnectCallback = (_, stop) => ConnectAsync(path, connected, stop) },
        DisposeHttpClient = true,
        MaxReceiveMessageSize = mostBytes,
    });

    private static async ValueTask<Stream> ConnectAsync(string path, Action<int>? connected, CancellationToken stop)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), stop).ConfigureAwait(false);
            connected?.Invoke(Peer(socket));
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static int Peer(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12];
        socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials);
        return BinaryPrimitives.ReadInt32LittleEndian(credentials);
    }
}

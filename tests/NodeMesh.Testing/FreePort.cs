using System.Net;
using System.Net.Sockets;

namespace NodeMesh.Testing;

/// <summary>Ports that a test binds later, or again.</summary>
public static class FreePort
{
    private static int _last = 20_000 + (Environment.ProcessId % 5_000);

    /// <summary>One that nobody has, below those that the kernel gives to sockets by itself, so that none gets it meanwhile.</summary>
    public static ushort Next()
    {
        while (true)
        {
            var port = Interlocked.Increment(ref _last);
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Any, port));
                return (ushort)port;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // The next one, then.
            }
        }
    }
}

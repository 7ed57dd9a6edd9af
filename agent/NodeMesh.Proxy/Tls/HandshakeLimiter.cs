using System.Runtime.InteropServices;
using NodeMesh.Model;

namespace NodeMesh.Proxy.Tls;

/// <summary>Counts unfinished handshakes by client address, for all workers; an address without any takes no memory.</summary>
internal sealed class HandshakeLimiter(int most)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<IpAddr, int> _running = [];

    /// <returns>False: the client has too many already; then <see cref="Leave"/> must not be called.</returns>
    public bool TryEnter(IpAddr client)
    {
        lock (_lock)
        {
            ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(_running, client, out _);
            if (count >= most)
                return false;
            count++;
            return true;
        }
    }

    public void Leave(IpAddr client)
    {
        lock (_lock)
        {
            ref var count = ref CollectionsMarshal.GetValueRefOrNullRef(_running, client);
            if (--count == 0)
                _running.Remove(client);
        }
    }
}

using System.Net;
using NodeMesh.Agent.Options;
using NodeMesh.Model;
using NodeMesh.Native.Netlink;

namespace NodeMesh.Agent.Hosting;

/// <summary>What the node itself contributes to plans: its addresses, followed as they change unless the operator named them.</summary>
internal sealed class NodeFactsSource : IDisposable
{
    private static readonly TimeSpan s_wait = TimeSpan.FromMilliseconds(500);

    private readonly NodeOptions _options;
    private readonly NetlinkSocket _netlink = new();
    private readonly LinkWatch _watch = new();
    private readonly Action<NodeFacts> _changed;
    private readonly Action<Exception> _failed;
    private readonly Thread _thread;
    private volatile bool _stopping;

    /// <param name="changed">On a thread of this object, after each change.</param>
    /// <param name="failed">When addresses could not be read; it is tried again.</param>
    public NodeFactsSource(NodeOptions options, Action<NodeFacts> changed, Action<Exception> failed)
    {
        _options = options;
        _changed = changed;
        _failed = failed;
        Current = Read();
        _thread = new Thread(Run) { IsBackground = true, Name = "node-facts" };
    }

    public NodeFacts Current { get; private set; }

    public void Start() => _thread.Start();

    public void Dispose()
    {
        _stopping = true;
        if (_thread.IsAlive)
            _thread.Join();
        _watch.Dispose();
        _netlink.Dispose();
    }

    private void Run()
    {
        while (!_stopping)
        {
            try
            {
                if (!_watch.Wait(s_wait) || _watch.Drain() is { AddressesChanged: false, Lost: false })
                    continue;
                var next = Read();
                if (next.Addresses.SequenceEqual(Current.Addresses))
                    continue;
                Current = next;
                _changed(next);
            }
            catch (NodeMesh.Native.SyscallException e)
            {
                _failed(e);
                Thread.Sleep(s_wait);
            }
        }
    }

    private NodeFacts Read()
    {
        const byte global = 0;
        var addresses = _options.Addresses.Count > 0
            ? _options.Addresses
            : [.. RtAddresses.Dump(_netlink).Where(a => a.Scope == global && !IPAddress.IsLoopback(a.Address) && !a.Address.IsIPv6LinkLocal).Select(a => IpAddr.From(a.Address))];
        return new NodeFacts(_options.Name, [.. addresses.Distinct().Order()], [.. _options.GatewayAddresses]);
    }
}

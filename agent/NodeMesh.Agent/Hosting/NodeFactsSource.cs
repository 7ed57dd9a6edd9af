using System.Net;
using NodeMesh.Agent.Options;
using NodeMesh.Model;
using NodeMesh.Native.Netlink;

namespace NodeMesh.Agent.Hosting;

/// <summary>What the node itself contributes to plans, followed as it changes: its addresses, unless the operator named them, and the ports that its processes
/// listen on.</summary>
internal sealed class NodeFactsSource : IDisposable
{
    private static readonly TimeSpan s_wait = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan s_portsInterval = TimeSpan.FromSeconds(2);

    private readonly NodeOptions _options;
    private readonly TcpListeners _listeners = new();
    private readonly ListeningPorts _ports;
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
        _ports = new ListeningPorts(_listeners);
        _ports.Refresh();
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
        _listeners.Dispose();
    }

    private void Run()
    {
        var portsRead = Environment.TickCount64;
        while (!_stopping)
        {
            try
            {
                var isOther = _watch.Wait(s_wait) && _watch.Drain() is not { AddressesChanged: false, Lost: false };
                if (Environment.TickCount64 - portsRead >= s_portsInterval.TotalMilliseconds)
                {
                    isOther |= _ports.Refresh();
                    portsRead = Environment.TickCount64;
                }

                if (!isOther)
                    continue;
                var next = Read();
                if (next.Addresses.SequenceEqual(Current.Addresses) && ReferenceEquals(next.BusyPorts, Current.BusyPorts))
                    continue;
                Current = next;
                _changed(next);
            }
            catch (Exception e) when (e is NodeMesh.Native.SyscallException or IOException)
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
        return _options.Facts(addresses) with { BusyPorts = _ports.Current };
    }
}

using System.Collections.Frozen;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Filters;

namespace NodeMesh.Unit.Tests.Proxy;

/// <summary>A proxy on plain loopback in front of one backend that a test scripts.</summary>
internal sealed class ProxyFixture : IDisposable
{
    public static readonly IpAddr Vip = IpAddr.Parse("10.96.0.1");

    /// <summary>How many milliseconds a test waits for what will come: more than any machine needs.</summary>
    public const int Patience = 60_000;

    private readonly List<Socket> _clients = [];
    private readonly TimeProvider _time;

    public ProxyFixture(
        Action<Socket> backend, AppProtocol protocol = AppProtocol.Http, Func<ProxyOptions, ProxyOptions>? tune = null,
        Func<ProxyPlan, ProxyPlan>? plan = null, TimeProvider? time = null, params IFilter[] filters)
    {
        _time = time ?? TimeProvider.System;
        Backend = new ScriptedBackend(backend);
        Cluster = new ClusterPlan("shop/web:80", [new EndpointAddress(IpAddr.Parse("127.0.0.1"), Backend.Port)]);
        var service = new ServicePlan("shop/web:80", protocol, null, Cluster);
        Plan = ProxyPlan.Empty with
        {
            Revision = 1,
            Services = new Dictionary<ServiceAddress, ServicePlan> { [new ServiceAddress(Vip, 80)] = service }.ToFrozenDictionary(),
        };
        Plan = plan?.Invoke(Plan) ?? Plan;
        var options = new ProxyOptions
        {
            Port = 0,
            Workers = 1,
            Transparent = false,
            KeepSource = false,
            DirectDestination = new ServiceAddress(Vip, 80),
        };
        Server = new ProxyServer(
            tune?.Invoke(options) ?? options, new ProxyState(Plan), NullLogger.Instance, _time, null, null, [new HttpPolicyFilter(), .. filters]);
        Server.Start();
    }

    public ScriptedBackend Backend { get; }

    public ClusterPlan Cluster { get; }

    public ProxyPlan Plan { get; }

    public ProxyServer Server { get; }

    public Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = Patience, SendTimeout = Patience };
        socket.Connect(IPAddress.Loopback, Server.Port);
        _clients.Add(socket);
        return socket;
    }

    /// <summary>Sends and reads until the proxy closes.</summary>
    public string Exchange(string request)
    {
        using var socket = Connect();
        socket.Send(Encoding.Latin1.GetBytes(request));
        return ReadToEnd(socket);
    }

    /// <summary>The same while time passes, which has to be a <see cref="ManualTime"/>.</summary>
    public string ExchangeAsTimePasses(string request)
    {
        using var socket = Connect();
        socket.Send(Encoding.Latin1.GetBytes(request));
        PassTime(socket);
        return ReadToEnd(socket);
    }

    /// <summary>Lets time pass until the proxy has something to say to a client.</summary>
    public void PassTime(Socket client)
    {
        var deadline = Environment.TickCount64 + Patience;
        while (!client.Poll(TimeSpan.FromMilliseconds(10), SelectMode.SelectRead))
        {
            Assert.That(Environment.TickCount64, Is.LessThan(deadline), "the client hears nothing");
            ((ManualTime)_time).Advance(TimeSpan.FromMilliseconds(100));
            Server.Snapshot(); // a round of the worker's loop, which looks at the clock
        }
    }

    public static string ReadToEnd(Socket socket)
    {
        var text = new StringBuilder();
        var buffer = new byte[65536];
        try
        {
            for (int n; (n = socket.Receive(buffer)) > 0;)
                text.Append(Encoding.Latin1.GetString(buffer, 0, n));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            text.Append("<reset>");
        }

        return text.ToString();
    }

    /// <summary>Reads until the text so far ends with <paramref name="end"/>.</summary>
    public static string ReadUntil(Socket socket, string end)
    {
        var text = new StringBuilder();
        var one = new byte[4096];
        while (!text.ToString().EndsWith(end, StringComparison.Ordinal))
        {
            var n = socket.Receive(one);
            if (n == 0)
                Assert.Fail($"closed after: {text}");
            text.Append(Encoding.Latin1.GetString(one, 0, n));
        }

        return text.ToString();
    }

    public void Dispose()
    {
        foreach (var client in _clients)
            client.Dispose();
        Server.Dispose();
        Backend.Dispose();
    }
}

/// <summary>Accepts on loopback and runs a script per connection, each on its own thread.</summary>
internal sealed class ScriptedBackend : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> _sockets = [];
    private int _connections;

    public ScriptedBackend(Action<Socket> script)
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        Port = (ushort)((IPEndPoint)_listener.LocalEndPoint!).Port;
        new Thread(() => Accept(script)) { IsBackground = true }.Start();
    }

    public ushort Port { get; }

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Reads and says nothing until the proxy ends the connection.</summary>
    public static void Silent(Socket socket)
    {
        var buffer = new byte[65536];
        while (socket.Receive(buffer) > 0)
        {
        }
    }

    /// <summary>Answers every request (head until the empty line; bodies by Content-Length) with the same bytes.</summary>
    public static Action<Socket> Always(string response) => Each((_, _) => response);

    /// <summary>Answers every request by a function of its head and body.</summary>
    public static Action<Socket> Each(Func<string, string, string> answer) => socket =>
    {
        var pending = "";
        var buffer = new byte[65536];
        while (true)
        {
            int end;
            while ((end = pending.IndexOf("\r\n\r\n", StringComparison.Ordinal)) < 0)
            {
                var n = socket.Receive(buffer);
                if (n == 0)
                    return;
                pending += Encoding.Latin1.GetString(buffer, 0, n);
            }

            var head = pending[..(end + 4)];
            pending = pending[(end + 4)..];
            var body = "";
            if (head.Contains("chunked", StringComparison.OrdinalIgnoreCase))
            {
                while (!pending.Contains("0\r\n", StringComparison.Ordinal) || !pending.EndsWith("\r\n\r\n", StringComparison.Ordinal))
                    pending += Encoding.Latin1.GetString(buffer, 0, socket.Receive(buffer));
                (body, pending) = (pending, "");
            }
            else if (head.IndexOf("content-length: ", StringComparison.OrdinalIgnoreCase) is var at and >= 0)
            {
                var length = int.Parse(head[(at + 16)..head.IndexOf('\r', at)], System.Globalization.CultureInfo.InvariantCulture);
                while (pending.Length < length)
                    pending += Encoding.Latin1.GetString(buffer, 0, socket.Receive(buffer));
                (body, pending) = (pending[..length], pending[length..]);
            }

            socket.Send(Encoding.Latin1.GetBytes(answer(head, body)));
        }
    };

    public void Dispose()
    {
        _listener.Dispose();
        lock (_sockets)
        {
            foreach (var socket in _sockets)
                socket.Dispose();
        }
    }

    private void Accept(Action<Socket> script)
    {
        try
        {
            while (true)
            {
                var socket = _listener.Accept();
                socket.NoDelay = true;
                Interlocked.Increment(ref _connections);
                lock (_sockets)
                    _sockets.Add(socket);
                new Thread(() => Run(socket, script)) { IsBackground = true }.Start();
            }
        }
        catch (SocketException)
        {
            // Dispose closed the listener.
        }
        catch (ObjectDisposedException)
        {
            // Dispose closed the listener.
        }
    }

    private static void Run(Socket socket, Action<Socket> script)
    {
        try
        {
            using (socket)
                script(socket);
        }
        catch (SocketException)
        {
            // The proxy went away, as some tests want.
        }
        catch (ObjectDisposedException)
        {
            // The test is over.
        }
    }
}

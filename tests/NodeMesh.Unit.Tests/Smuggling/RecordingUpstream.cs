using System.Net.Sockets;
using System.Text;
using NodeMesh.Unit.Tests.Proxy;

namespace NodeMesh.Unit.Tests.Smuggling;

/// <summary>A proxy in front of a backend that keeps every byte it gets, connection by connection, and answers each whole request with 200.</summary>
internal sealed class RecordingUpstream : IDisposable
{
    private const string Answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private readonly List<Recording> _connections = [];
    private readonly ProxyFixture _proxy;
    private int _ended;

    public RecordingUpstream() => _proxy = new ProxyFixture(Record);

    /// <summary>All bytes of all connections since the last call.</summary>
    public List<string> Take()
    {
        lock (_connections)
            return [.. _connections.Select(c => c.Take()).Where(c => c.Length > 0)];
    }

    /// <summary>All bytes of each connection since it began, whole requests or not.</summary>
    public List<string> Whole()
    {
        lock (_connections)
            return [.. _connections.Select(c => c.Bytes.ToString())];
    }

    /// <summary>Ends the proxy; nothing comes after what there is then.</summary>
    public void End()
    {
        _proxy.Server.Dispose();
        var opened = _proxy.Server.Snapshot().UpstreamOpened;
        Assert.That(() => Volatile.Read(ref _ended), Is.EqualTo(opened).After(ProxyFixture.Patience, 1));
    }

    /// <summary>Sends and reads until the proxy closes or says nothing for <paramref name="patience"/> (it waits for the rest of an unfinished
    /// request); a complete good answer ends the reading too.</summary>
    public string Exchange(string bytes, int patience = 200)
    {
        using var socket = _proxy.Connect();
        socket.ReceiveTimeout = patience;
        var text = new StringBuilder();
        var buffer = new byte[65536];
        try
        {
            socket.Send(Encoding.Latin1.GetBytes(bytes));
            for (int n; !text.ToString().EndsWith("\r\n\r\nok", StringComparison.Ordinal) && (n = socket.Receive(buffer)) > 0;)
                text.Append(Encoding.Latin1.GetString(buffer, 0, n));
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            text.Append("<reset>");
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            text.Append("<silence>");
        }

        return text.ToString();
    }

    public void Dispose() => _proxy.Dispose();

    private void Record(Socket socket)
    {
        try
        {
            ReadAndAnswer(socket);
        }
        finally
        {
            Interlocked.Increment(ref _ended);
        }
    }

    private void ReadAndAnswer(Socket socket)
    {
        var mine = new Recording();
        lock (_connections)
            _connections.Add(mine);
        var answered = 0;
        var buffer = new byte[65536];
        for (int n; (n = socket.Receive(buffer)) > 0;)
        {
            var text = Encoding.Latin1.GetString(buffer, 0, n);
            string all;
            lock (_connections)
                all = mine.Bytes.Append(text).ToString();
            int whole;
            try
            {
                whole = WireRequest.ReadAll(all).Requests.Count;
            }
            catch (FormatException)
            {
                return; // the test finds the bytes and says so
            }

            for (; answered < whole; answered++)
                socket.Send(Encoding.ASCII.GetBytes(Answer));
        }
    }

    private sealed class Recording
    {
        private int _taken;

        public StringBuilder Bytes { get; } = new();

        public string Take()
        {
            var taken = Bytes.ToString(_taken, Bytes.Length - _taken);
            _taken = Bytes.Length;
            return taken;
        }
    }
}

using System.Net.Sockets;
using System.Text;
using NodeMesh.Unit.Tests.Proxy;

namespace NodeMesh.Unit.Tests.Smuggling;

/// <summary>A proxy in front of a backend that keeps every byte it gets, connection by connection, and answers each whole request with 200.</summary>
internal sealed class RecordingUpstream : IDisposable
{
    private const string Answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private readonly List<StringBuilder> _connections = [];
    private readonly ProxyFixture _proxy;

    public RecordingUpstream() => _proxy = new ProxyFixture(Record);

    /// <summary>All bytes of all connections since the last call.</summary>
    public List<string> Take()
    {
        lock (_connections)
        {
            var taken = _connections.Select(c => c.ToString()).Where(c => c.Length > 0).ToList();
            foreach (var connection in _connections)
                connection.Clear();
            return taken;
        }
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
        var mine = new StringBuilder();
        lock (_connections)
            _connections.Add(mine);
        var all = "";
        var answered = 0;
        var buffer = new byte[65536];
        for (int n; (n = socket.Receive(buffer)) > 0;)
        {
            var text = Encoding.Latin1.GetString(buffer, 0, n);
            all += text;
            lock (_connections)
                mine.Append(text);
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
}

using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using NodeMesh.Model;

namespace NodeMesh.Agent.Hosting;

/// <summary>What a load balancer asks a node about a service: how many of its ready backends are here.</summary>
internal readonly record struct HealthAnswer(ObjectName Service, int LocalEndpoints)
{
    /// <summary>By spec.healthCheckNodePort; of two services with one port the first by name has it. Pure.</summary>
    public static Dictionary<ushort, HealthAnswer> Of(MeshSnapshot snapshot, string node)
    {
        var answers = new Dictionary<ushort, HealthAnswer>();
        foreach (var service in snapshot.Services)
        {
            if (service.HealthCheckNodePort == 0)
                continue;
            var here = service.Ports.SelectMany(p => p.Backends).Where(b => !b.NotReady && b.NodeName.Length > 0 && b.NodeName == node).Select(b => b.Address).Distinct().Count();
            answers.TryAdd(service.HealthCheckNodePort, new HealthAnswer(service.Name, here));
        }

        return answers;
    }

    /// <summary>The whole response, as kube-proxy gives it: 200 with a backend here, else 503.</summary>
    public byte[] Response(bool isHealthy)
    {
        var body = $$"""
            {
            	"service": {
            		"namespace": "{{Service.Namespace}}",
            		"name": "{{Service.Name}}"
            	},
            	"localEndpoints": {{LocalEndpoints.ToString(CultureInfo.InvariantCulture)}},
            	"serviceProxyHealthy": {{(isHealthy ? "true" : "false")}}
            }
            """;
        var status = isHealthy && LocalEndpoints > 0 ? "200 OK" : "503 Service Unavailable";
        return Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nX-Load-Balancing-Endpoint-Weight: {LocalEndpoints}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"));
    }
}

/// <summary>Listens on the health check ports of services, on every address of the node. A question of a few bytes and an answer each; off the data path.</summary>
internal sealed class HealthCheckPorts(Func<bool> isHealthy, ILogger log) : IDisposable
{
    private const int LongestHead = 8192;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly Dictionary<ushort, Socket> _listeners = [];
    private readonly ConcurrentDictionary<ushort, HealthAnswer> _answers = new();
    private readonly CancellationTokenSource _stop = new();
    private ImmutableArray<Service> _services = [];

    /// <summary>Nothing is to do for services that it has, when each has its listener. One thread at a time.</summary>
    public void Take(MeshSnapshot snapshot, string node)
    {
        if (snapshot.Services == _services && _listeners.Count == _answers.Count)
            return;
        Set(HealthAnswer.Of(snapshot, node));
        _services = snapshot.Services;
    }

    /// <summary>Opens and closes listeners as the services ask. One thread at a time.</summary>
    public void Set(IReadOnlyDictionary<ushort, HealthAnswer> answers)
    {
        foreach (var (port, answer) in answers)
        {
            _answers[port] = answer;
            if (!_listeners.ContainsKey(port))
                Open(port, answer.Service);
        }

        foreach (var port in _answers.Keys.Where(p => !answers.ContainsKey(p)))
        {
            _answers.TryRemove(port, out _);
            if (_listeners.Remove(port, out var listener))
                listener.Dispose();
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        foreach (var listener in _listeners.Values)
            listener.Dispose();
        _stop.Dispose();
    }

    private void Open(ushort port, ObjectName service)
    {
        var both = Socket.OSSupportsIPv6;
        var listener = new Socket(both ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (both)
                listener.DualMode = true;
            listener.Bind(new IPEndPoint(both ? IPAddress.IPv6Any : IPAddress.Any, port));
            listener.Listen();
        }
        catch (SocketException e)
        {
            // Tried again with the next plan; until then the balancer takes this node for one without backends.
            listener.Dispose();
            log.LogError("Service {Service}: its healthCheckNodePort {Port} cannot be listened on: {Problem}", service, port, e.Message);
            return;
        }

        _listeners.Add(port, listener);
        _ = AcceptAsync(port, listener);
    }

    private async Task AcceptAsync(ushort port, Socket listener)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptAsync(_stop.Token).ConfigureAwait(false);
                _ = AnswerAsync(port, client);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                if (!_answers.ContainsKey(port))
                    return; // closed
                log.LogWarning("Health check port {Port}: {Problem}", port, e.Message);
                await Task.Delay(TimeSpan.FromSeconds(1)).ConfigureAwait(false);
            }
        }
    }

    private async Task AnswerAsync(ushort port, Socket client)
    {
        using var _ = client;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        limit.CancelAfter(s_patience);
        try
        {
            if (await HasAskedAsync(client, limit.Token).ConfigureAwait(false) && _answers.TryGetValue(port, out var answer))
                await client.SendAsync(answer.Response(isHealthy()), limit.Token).ConfigureAwait(false);
            client.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            log.LogDebug("Health check port {Port}: {Problem}", port, e.Message);
        }
    }

    /// <summary>Reads to the end of the request's head; what it asks for does not matter, every path has the one answer.</summary>
    private static async Task<bool> HasAskedAsync(Socket client, CancellationToken stop)
    {
        var head = new byte[LongestHead];
        for (var length = 0; length < head.Length;)
        {
            var count = await client.ReceiveAsync(head.AsMemory(length), stop).ConfigureAwait(false);
            if (count == 0)
                return false;
            length += count;
            if (head.AsSpan(0, length).IndexOf("\r\n\r\n"u8) >= 0)
                return true;
        }

        return false;
    }
}

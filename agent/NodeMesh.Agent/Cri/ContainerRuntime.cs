using System.Globalization;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;
using NodeMesh.Agent.Api;
using NodeMesh.Agent.Cni;
using NodeMesh.Model;
using NodeMesh.Native;

namespace NodeMesh.Agent.Cri;

/// <summary>Asks the container runtime of this node, by the interface by which the kubelet does. Changes nothing there.</summary>
internal sealed class ContainerRuntime : IDisposable
{
    // As the kubelet takes them.
    private const int MostBytes = 16 << 20;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly GrpcChannel _channel;
    private readonly RuntimeService.RuntimeServiceClient _client;
    private readonly CancellationTokenSource _stop = new();
    private volatile int _process;

    public ContainerRuntime(string socket)
    {
        _channel = UnixSocketChannel.For(socket, MostBytes, process => _process = process);
        _client = new RuntimeService.RuntimeServiceClient(_channel);
    }

    /// <summary>"containerd v2.1.4".</summary>
    /// <exception cref="RpcException">It does not answer.</exception>
    public string Name()
    {
        var version = _client.Version(new VersionRequest(), Call());
        return $"{version.RuntimeName} {version.RuntimeVersion}";
    }

    /// <summary>Sandboxes that run, the oldest first.</summary>
    /// <exception cref="RpcException">It does not answer.</exception>
    public IReadOnlyList<PodSandbox> Ready()
    {
        var request = new ListPodSandboxRequest { Filter = new PodSandboxFilter { State = new PodSandboxStateValue { State = PodSandboxState.SandboxReady } } };
        return [.. _client.ListPodSandbox(request, Call()).Items.Where(s => s.State == PodSandboxState.SandboxReady).OrderBy(s => s.CreatedAt)];
    }

    /// <summary>What it tells of one, and whether that is all there will be of it: one that does not run any more, or has no network of its own, is none.</summary>
    /// <exception cref="RpcException">It does not answer.</exception>
    public (Sandbox? Sandbox, bool IsFinal) Describe(string id)
    {
        PodSandboxStatusResponse response;
        try
        {
            response = _client.PodSandboxStatus(new PodSandboxStatusRequest { PodSandboxId = id, Verbose = true }, Call());
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            return (null, true);
        }

        var status = response.Status;
        if (status?.Metadata is not { } meta || status.State != PodSandboxState.SandboxReady || status.Linux?.Namespaces?.Options?.Network == NamespaceMode.Node)
            return (null, true);
        var addresses = new List<IpAddr>();
        foreach (var text in (status.Network?.AdditionalIps.Select(a => a.Ip) ?? []).Prepend(status.Network?.Ip ?? ""))
            if (IpAddr.TryParse(text, out var address))
                addresses.Add(address);
        var netns = NetworkNamespaces(response.Info).Select(path => NodePaths.NetnsOf(path, _process)).FirstOrDefault(FileSystems.IsNamespace);
        return netns is not null && addresses.Count > 0
            ? (new Sandbox(id, new ObjectName(meta.Namespace, meta.Name), meta.Uid, netns, [.. addresses.Distinct()]), true)
            : (null, false);
    }

    /// <summary>Ends the question that is open, and every later one. From any thread.</summary>
    public void Cancel() => _stop.Cancel();

    public void Dispose()
    {
        _channel.Dispose();
        _stop.Dispose();
    }

    private CallOptions Call() => new(deadline: DateTime.UtcNow + s_patience, cancellationToken: _stop.Token);

    /// <summary>
    /// From what containerd and CRI-O say beyond the interface: that of the sandbox's process, which we see for as long as it runs, and that of its specification,
    /// where there is no process or we do not see it.
    /// </summary>
    internal static IEnumerable<string> NetworkNamespaces(IEnumerable<KeyValuePair<string, string>> info)
    {
        var found = new List<string>();
        foreach (var (_, text) in info)
        {
            try
            {
                using var document = JsonDocument.Parse(text);
                if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("pid", out var pid)
                    && pid.ValueKind == JsonValueKind.Number && pid.TryGetInt32(out var process) && process > 0)
                    found.Add(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/ns/net"));
                if (OfSpecification(document.RootElement) is { Length: > 0 } path)
                    found.Add(path);
            }
            catch (JsonException)
            {
                // Any runtime may say whatever it likes here.
            }
        }

        return found;
    }

    private static string? OfSpecification(JsonElement info)
    {
        foreach (var name in (ReadOnlySpan<string>)["runtimeSpec", "linux", "namespaces"])
            if (info.ValueKind != JsonValueKind.Object || !info.TryGetProperty(name, out info))
                return null;
        if (info.ValueKind != JsonValueKind.Array)
            return null;
        foreach (var one in info.EnumerateArray())
            if (Text(one, "type") == "network")
                return Text(one, "path");
        return null;
    }

    private static string? Text(JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

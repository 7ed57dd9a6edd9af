using System.Collections.Concurrent;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using NodeMesh.Agent.Cri;

namespace NodeMesh.Unit.Tests.Cri;

/// <summary>A container runtime in this process, on a Unix socket.</summary>
internal sealed class FakeRuntime : RuntimeService.RuntimeServiceBase, IAsyncDisposable
{
    private WebApplication? _app;
    private int _hanging;

    public ConcurrentDictionary<string, PodSandboxStatusResponse> Sandboxes { get; } = new(StringComparer.Ordinal);

    /// <summary>Ids of those that were described.</summary>
    public ConcurrentQueue<string> Described { get; } = new();

    /// <summary>Lists are asked for in vain.</summary>
    public bool Hangs { get; set; }

    /// <summary>Lists that were.</summary>
    public int Hanging => Volatile.Read(ref _hanging);

    public async Task StartAsync(string socket)
    {
        File.Delete(socket);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = "/" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(socket, o => o.Protocols = HttpProtocols.Http2));
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        _app = builder.Build();
        _app.MapGrpcService<FakeRuntime>();
        await _app.StartAsync();
    }

    public async Task StopAsync()
    {
        if (_app is { } app)
            await app.DisposeAsync();
        _app = null;
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    public void Run(string id, string pod, string address, NamespaceMode network = NamespaceMode.Pod, PodSandboxState state = PodSandboxState.SandboxReady)
    {
        var response = new PodSandboxStatusResponse
        {
            Status = new PodSandboxStatus
            {
                Id = id,
                State = state,
                CreatedAt = Sandboxes.Count,
                Metadata = new PodSandboxMetadata { Namespace = "shop", Name = pod, Uid = $"uid-of-{pod}" },
                Network = new PodSandboxNetworkStatus { Ip = address },
                Linux = new LinuxPodSandboxStatus { Namespaces = new Namespace { Options = new NamespaceOption { Network = network } } },
            },
        };
        response.Info["info"] = """{"pid":0,"runtimeSpec":{"linux":{"namespaces":[{"type":"pid"},{"type":"network","path":"/proc/self/ns/net"}]}}}""";
        Sandboxes[id] = response;
    }

    public override Task<VersionResponse> Version(VersionRequest request, ServerCallContext context) =>
        Task.FromResult(new VersionResponse { RuntimeName = "fake", RuntimeVersion = "1.2" });

    public override async Task<ListPodSandboxResponse> ListPodSandbox(ListPodSandboxRequest request, ServerCallContext context)
    {
        if (Hangs)
        {
            Interlocked.Increment(ref _hanging);
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }

        var response = new ListPodSandboxResponse();
        response.Items.AddRange(Sandboxes.Values.Select(s => s.Status).Where(s => s.State == request.Filter.State.State)
            .Select(s => new PodSandbox { Id = s.Id, Metadata = s.Metadata, State = s.State, CreatedAt = s.CreatedAt }));
        return response;
    }

    public override Task<PodSandboxStatusResponse> PodSandboxStatus(PodSandboxStatusRequest request, ServerCallContext context)
    {
        Described.Enqueue(request.PodSandboxId);
        return Sandboxes.TryGetValue(request.PodSandboxId, out var one) ? Task.FromResult(one) : throw new RpcException(new Status(StatusCode.NotFound, "an error occurred when try to find sandbox"));
    }
}

using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NodeMesh.Agent.Api;
using NodeMesh.Flows.Metrics;

namespace NodeMesh.Agent.Hosting;

/// <summary>What people and programs ask: the API on a Unix socket for root, and metrics and health over HTTP. Off the data path.</summary>
internal sealed class AgentSurface : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string _socket;

    private AgentSurface(WebApplication app, string socket)
    {
        _app = app;
        _socket = socket;
    }

    /// <exception cref="CommandFailure">PortInUse.</exception>
    public static async Task<AgentSurface> StartAsync(IPEndPoint address, string runDir, AgentView view, PodGate gate, MetricPage metrics, ILoggerProvider log)
    {
        var socket = Path.Combine(runDir, "api.sock");
        Directory.CreateDirectory(runDir);
        File.Delete(socket); // left by an agent that was killed; nobody else runs, which the lock has shown

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = "/" });
        builder.Logging.AddProvider(log);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenUnixSocket(socket, o => o.Protocols = HttpProtocols.Http2);
            kestrel.Listen(address, o => o.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(view);
        builder.Services.AddSingleton(gate);
        var app = builder.Build();
        app.MapGrpcService<ObserverService>();
        app.MapGrpcService<GateService>();
        app.Map("/metrics", context => MetricsAsync(context, metrics));
        app.Map("/healthz", context => TextAsync(context, StatusCodes.Status200OK, "ok\n"));
        app.Map("/readyz", context => ReadyAsync(context, view.Readiness));

        var surface = new AgentSurface(app, socket);
        try
        {
            await app.StartAsync().ConfigureAwait(false);
            File.SetUnixFileMode(socket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return surface;
        }
        catch (IOException e)
        {
            await surface.DisposeAsync().ConfigureAwait(false);
            throw new CommandFailure(ExitCode.PortInUse, $"{address} cannot be listened on: {e.Message}. Cure: stop what uses it, or choose another --metrics-address", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync().ConfigureAwait(false);
        File.Delete(_socket);
    }

    private static async Task MetricsAsync(HttpContext context, MetricPage metrics)
    {
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await metrics.WriteAsync(context.Response.Body, context.RequestAborted).ConfigureAwait(false);
    }

    private static Task ReadyAsync(HttpContext context, Readiness readiness) => readiness.Reasons is { Length: > 0 } reasons
        ? TextAsync(context, StatusCodes.Status503ServiceUnavailable, "not ready: " + string.Join("; ", reasons) + "\n")
        : TextAsync(context, StatusCodes.Status200OK, "ready\n");

    private static Task TextAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(text);
    }
}

using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using NodeMesh.Native.Namespaces;
using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>A backend that prints what it saw: its own name, the request's line, Host, and every header line as it came. It lives in this process; its sockets in a pod.</summary>
internal sealed class EchoServer : IAsyncDisposable
{
    /// <summary>A path that is never answered.</summary>
    public const string Silent = "/silent";

    private readonly WebApplication _web;
    private readonly List<Socket> _listening;

    private EchoServer(WebApplication web, List<Socket> listening)
    {
        _web = web;
        _listening = listening;
    }

    public static async Task<EchoServer> StartAsync(Netns netns, string name, params int[] ports)
    {
        var listening = ports.SelectMany(p => new[] { netns.Listen(IPAddress.Any, p), netns.Listen(IPAddress.IPv6Any, p) }).ToList();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            foreach (var socket in listening)
                kestrel.ListenHandle((ulong)socket.Handle);
        });
        var web = builder.Build();
        web.Run(context => AnswerAsync(context, name));
        await web.StartAsync().ConfigureAwait(false);
        return new EchoServer(web, listening);
    }

    public async ValueTask DisposeAsync()
    {
        await _web.DisposeAsync().ConfigureAwait(false);
        foreach (var socket in _listening)
            socket.Dispose();
    }

    private static async Task AnswerAsync(HttpContext context, string name)
    {
        var request = context.Request;
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (target.StartsWith(Silent, StringComparison.Ordinal))
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }

        var body = await new StreamReader(request.Body).ReadToEndAsync(context.RequestAborted).ConfigureAwait(false);
        context.Response.Headers["X-Backend"] = name;
        await context.Response.WriteAsync($"{name} {request.Method} {target}\nhost {request.Host}\nbody {body}\n", context.RequestAborted).ConfigureAwait(false);
        foreach (var (header, values) in request.Headers)
            foreach (var value in values)
                await context.Response.WriteAsync($"> {header.ToLowerInvariant()}: {value}\n", context.RequestAborted).ConfigureAwait(false);
    }
}

/// <summary>Sockets of this process in namespaces of a box.</summary>
internal static class NetnsSockets
{
    /// <summary>A listening TCP socket; IPv6 ones take IPv6 only.</summary>
    public static Socket Listen(this Netns netns, IPAddress address, int port)
    {
        using var held = NetNamespace.Open(netns.Name);
        return held.Run(() =>
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
                socket.DualMode = false;
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(address, port));
            socket.Listen();
            return socket;
        });
    }
}

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace NodeMesh.Testing.ApiServer;

/// <param name="Verb">As RBAC has it: get, list, watch, create, update, patch, delete.</param>
/// <param name="Resource">"networking.k8s.io/networkpolicies", "pods/status".</param>
public sealed record ApiRequest(string Verb, string Resource, string Namespace, string Name, string Query);

/// <summary>
/// An API server in this process: list in pages, watch with bookmarks and initial events, versions that expire, optimistic locking, merge patches, the status
/// subresource, bearer tokens; and faults on demand. By the API's documentation (API concepts), for what a client of it may meet.
/// </summary>
public sealed class InProcessApiServer : IAsyncDisposable
{
    private readonly WebApplication _web;
    private readonly ConcurrentDictionary<string, bool> _installed = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<(int Code, TimeSpan? RetryAfter)> _faults = new();
    private readonly Lock _cutLock = new();
    private CancellationTokenSource _cut = new();
    private volatile bool _cutInside;

    private readonly Socket _listening;

    private InProcessApiServer(WebApplication web, Socket listening)
    {
        _web = web;
        _listening = listening;
    }

    public ObjectStore Store { get; private init; } = new();

    public ConcurrentQueue<ApiRequest> Requests { get; } = new();

    /// <summary>Who says another one is told 401; empty: everybody may come.</summary>
    public string Token { get; set; } = "";

    /// <summary>False: as before Kubernetes 1.32.</summary>
    public bool StreamsLists { get; set; } = true;

    /// <summary>Null, or the status that a request gets instead of its answer; 0: it gets its answer.</summary>
    public Func<ApiRequest, int>? Refuses { get; set; }

    /// <summary>As behind a network that loses packets: connections are taken, and nothing is said.</summary>
    public bool IsSilent { get; set; }

    public TimeSpan BookmarkInterval { get; set; } = TimeSpan.FromSeconds(1);

    public string Address { get; private set; } = "";

    /// <summary>What every cluster has.</summary>
    public static readonly string[] BuiltIn =
    [
        "namespaces", "nodes", "pods", "services", "secrets", "events", "discovery.k8s.io/endpointslices", "networking.k8s.io/networkpolicies",
        "coordination.k8s.io/leases",
    ];

    /// <param name="resources">"pods", "networking.k8s.io/networkpolicies": those that there are.</param>
    public static async Task<InProcessApiServer> StartAsync(params string[] resources)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        return await StartAsync(socket, new ObjectStore(), resources).ConfigureAwait(false);
    }

    /// <param name="listening">Of whatever network namespace; closed with the server.</param>
    /// <param name="store">That of a server before this one, when it comes back.</param>
    public static Task<InProcessApiServer> StartAsync(Socket listening, ObjectStore store, params string[] resources) => StartAsync(listening, store, null, resources);

    /// <summary>By TLS.</summary>
    /// <param name="certificate">With its key. Null: without TLS.</param>
    public static async Task<InProcessApiServer> StartAsync(Socket listening, ObjectStore store, X509Certificate2? certificate, params string[] resources)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.ListenHandle((ulong)listening.Handle, listen =>
        {
            if (certificate is not null)
                listen.UseHttps(certificate);
        }));
        var web = builder.Build();
        var server = new InProcessApiServer(web, listening) { Address = $"{(certificate is null ? "http" : "https")}://{listening.LocalEndPoint}", Store = store };
        foreach (var resource in resources)
            server.Install(resource);
        web.Run(server.HandleAsync);
        await web.StartAsync().ConfigureAwait(false);
        return server;
    }

    public KubernetesClientConfiguration Client() => new() { Host = Address, AccessToken = Token.Length > 0 ? Token : null };

    public void Install(string resource)
    {
        _installed[resource] = true;
        if (resource.Split('/') is [var group, var plural] && group.Contains('.', StringComparison.Ordinal))
            Store.Put("apiextensions.k8s.io/customresourcedefinitions", new JsonObject { ["metadata"] = new JsonObject { ["name"] = $"{plural}.{group}" } });
    }

    public void Uninstall(string resource) => _installed.TryRemove(resource, out _);

    /// <summary>The next requests, one each, are answered so.</summary>
    public void Fail(int code, int times = 1, TimeSpan? retryAfter = null)
    {
        for (var i = 0; i < times; i++)
            _faults.Enqueue((code, retryAfter));
    }

    /// <summary>Every watch that is open ends now.</summary>
    /// <param name="insideAnEvent">With half an event as its last bytes.</param>
    public void CutWatches(bool insideAnEvent = false)
    {
        lock (_cutLock)
        {
            _cutInside = insideAnEvent;
            _cut.Cancel();
            _cut = new CancellationTokenSource();
        }
    }

    /// <summary>Puts an object as written in YAML's subset JSON.</summary>
    public void Put(string resource, string json) => Store.Put(resource, (JsonObject)JsonNode.Parse(json)!);

    public async ValueTask DisposeAsync()
    {
        CutWatches();
        await _web.DisposeAsync().ConfigureAwait(false);
        _listening.Dispose();
        _cut.Dispose();
    }

    private async Task HandleAsync(HttpContext http)
    {
        try
        {
            if (Token.Length > 0 && http.Request.Headers.Authorization != $"Bearer {Token}")
                throw new StoreException(401, "Unauthorized", "Unauthorized");
            var target = Target.Parse(http.Request);
            var request = new ApiRequest(target.Verb, target.Resource + (target.IsStatus ? "/status" : ""), target.Namespace, target.Name, http.Request.QueryString.Value ?? "");
            Requests.Enqueue(request);
            if (IsSilent)
                await Task.Delay(Timeout.Infinite, http.RequestAborted).ConfigureAwait(false);
            if (Refuses?.Invoke(request) is { } code and > 0)
                throw new StoreException(code, "Fault", "as the test wants it");
            if (_faults.TryDequeue(out var fault))
            {
                if (fault.RetryAfter is { } wait)
                    http.Response.Headers.RetryAfter = ((int)wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
                throw new StoreException(fault.Code, "Fault", "as the test wants it");
            }

            if (!_installed.ContainsKey(target.Resource) && target.Resource != "apiextensions.k8s.io/customresourcedefinitions")
                throw new StoreException(404, "NotFound", "the server could not find the requested resource");
            await AnswerAsync(http, target).ConfigureAwait(false);
        }
        catch (StoreException e)
        {
            http.Response.StatusCode = e.Code;
            await WriteAsync(http, Status(e)).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // Nobody waits for the answer any more.
        }
    }

    private async Task AnswerAsync(HttpContext http, Target target)
    {
        switch (target.Verb)
        {
            case "watch":
                await WatchAsync(http, target).ConfigureAwait(false);
                break;
            case "list":
                await WriteAsync(http, Page(http.Request.Query, target)).ConfigureAwait(false);
                break;
            case "get":
                await WriteAsync(http, Store.Get(target.Resource, target.Namespace, target.Name)).ConfigureAwait(false);
                break;
            case "delete":
                Store.Delete(target.Resource, target.Namespace, target.Name);
                await WriteAsync(http, new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["status"] = "Success" }).ConfigureAwait(false);
                break;
            default:
                var body = (JsonObject)(await JsonNode.ParseAsync(http.Request.Body, cancellationToken: http.RequestAborted).ConfigureAwait(false))!;
                await WriteAsync(http, Change(http.Request, target, body)).ConfigureAwait(false);
                break;
        }
    }

    private JsonObject Change(HttpRequest request, Target target, JsonObject body)
    {
        if (target.Verb == "create")
        {
            if (target.Namespace.Length > 0)
                body["metadata"]!["namespace"] = target.Namespace;
            return Store.Put(target.Resource, body, mustBeNew: true);
        }

        if (target.Verb == "patch" && request.ContentType?.StartsWith("application/merge-patch+json", StringComparison.Ordinal) != true)
            throw new StoreException(415, "UnsupportedMediaType", $"the body of the request was in an unknown format: {request.ContentType}");
        var old = Store.Get(target.Resource, target.Namespace, target.Name);
        var next = target.Verb == "patch" ? (JsonObject)Merge(old.DeepClone(), body)! : body;

        // The status has a door of its own, and neither door opens the other's room.
        if (target.IsStatus)
        {
            var changed = (JsonObject)old.DeepClone();
            changed["status"] = next["status"]?.DeepClone();
            if (next["metadata"]?["resourceVersion"] is { } version)
                changed["metadata"]!["resourceVersion"] = version.DeepClone();
            next = changed;
        }
        else if (old["status"] is { } status)
        {
            next["status"] = status.DeepClone();
        }

        return Store.Put(target.Resource, next);
    }

    /// <summary>RFC 7396.</summary>
    private static JsonNode? Merge(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject fields)
            return patch?.DeepClone();
        var merged = target as JsonObject ?? [];
        foreach (var (name, value) in fields)
        {
            var old = merged[name];
            merged.Remove(name);
            if (value is not null)
                merged[name] = Merge(old, value);
        }

        return merged;
    }

    private JsonObject Page(IQueryCollection query, Target target)
    {
        var (version, all) = Store.List(target.Resource, target.Namespace, target.Field);
        var limit = int.TryParse(query["limit"], CultureInfo.InvariantCulture, out var l) && l > 0 ? l : int.MaxValue;
        var from = int.TryParse(query["continue"], CultureInfo.InvariantCulture, out var c) ? c : 0;
        var metadata = new JsonObject { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture) };
        if (all.Count - from > limit)
            metadata["continue"] = (from + limit).ToString(CultureInfo.InvariantCulture);
        return new JsonObject
        {
            ["kind"] = "List",
            ["apiVersion"] = "v1",
            ["metadata"] = metadata,
            ["items"] = new JsonArray([.. all.Skip(from).Take(limit).Select(o => o.DeepClone())]),
        };
    }

    private async Task WatchAsync(HttpContext http, Target target)
    {
        var query = http.Request.Query;
        var initial = query["sendInitialEvents"] == "true";
        if (initial && !StreamsLists)
            throw new StoreException(422, "Invalid", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled");
        CancellationToken cut;
        lock (_cutLock)
            cut = _cut.Token;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cut, http.RequestAborted);
        if (int.TryParse(query["timeoutSeconds"], CultureInfo.InvariantCulture, out var seconds))
            end.CancelAfter(TimeSpan.FromSeconds(seconds));

        var at = long.TryParse(query["resourceVersion"], CultureInfo.InvariantCulture, out var asked) && asked > 0 ? asked : Store.Version;
        if (!initial)
            Store.Since(target.Resource, target.Namespace, target.Field, at);
        http.Response.ContentType = "application/json";
        http.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
        await http.Response.StartAsync(end.Token).ConfigureAwait(false);
        try
        {
            if (initial || asked == 0)
                at = await InitialAsync(http, target, initial, end.Token).ConfigureAwait(false);
            while (true)
            {
                var changed = Store.Changed;
                var (version, events) = Store.Since(target.Resource, target.Namespace, target.Field, at);
                foreach (var e in events)
                    await EventAsync(http, e.Type, e.Object, end.Token).ConfigureAwait(false);
                at = version;
                if (events.Count == 0 && await Task.WhenAny(changed, Task.Delay(BookmarkInterval, end.Token)).ConfigureAwait(false) != changed)
                    await EventAsync(http, "BOOKMARK", Bookmark(at, ended: false), end.Token).ConfigureAwait(false);
                end.Token.ThrowIfCancellationRequested();
            }
        }
        catch (StoreException e)
        {
            await EventAsync(http, "ERROR", Status(e), CancellationToken.None).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            if (_cutInside && cut.IsCancellationRequested)
                await http.Response.WriteAsync("{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"na", CancellationToken.None).ConfigureAwait(false);
        }
    }

    private async Task<long> InitialAsync(HttpContext http, Target target, bool saysEnd, CancellationToken stop)
    {
        var (version, all) = Store.List(target.Resource, target.Namespace, target.Field);
        foreach (var obj in all)
            await EventAsync(http, "ADDED", obj, stop).ConfigureAwait(false);
        if (saysEnd)
            await EventAsync(http, "BOOKMARK", Bookmark(version, ended: true), stop).ConfigureAwait(false);
        return version;
    }

    private static JsonObject Bookmark(long version, bool ended)
    {
        var metadata = new JsonObject { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture) };
        if (ended)
            metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
        return new JsonObject { ["metadata"] = metadata };
    }

    private static Task EventAsync(HttpContext http, string type, JsonObject obj, CancellationToken stop) =>
        http.Response.WriteAsync($"{{\"type\":\"{type}\",\"object\":{obj.ToJsonString()}}}\n", stop);

    private static JsonObject Status(StoreException e) => new()
    {
        ["kind"] = "Status",
        ["apiVersion"] = "v1",
        ["status"] = "Failure",
        ["reason"] = e.Reason,
        ["code"] = e.Code,
        ["message"] = e.Message,
    };

    private static Task WriteAsync(HttpContext http, JsonObject body)
    {
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(body.ToJsonString(), Encoding.UTF8, http.RequestAborted);
    }

    /// <summary>What a request is about: "/apis/GROUP/VERSION/[namespaces/NS/]PLURAL[/NAME[/status]]".</summary>
    private sealed record Target(string Verb, string Resource, string Namespace, string Name, bool IsStatus, string Field)
    {
        public static Target Parse(HttpRequest request)
        {
            var parts = request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
            var at = parts is ["api", ..] ? 2 : parts is ["apis", ..] ? 3 : throw new StoreException(404, "NotFound", "no such path");
            if (parts.Length <= at)
                throw new StoreException(404, "NotFound", "no such path");
            var group = at == 3 ? parts[1] + "/" : "";
            var ns = "";
            if (parts[at] == "namespaces" && parts.Length > at + 2)
            {
                ns = parts[at + 1];
                at += 2;
            }

            var name = parts.Length > at + 1 ? parts[at + 1] : "";
            var field = (string?)request.Query["fieldSelector"] is { } selector && selector.StartsWith("metadata.name=", StringComparison.Ordinal) ? selector[14..] : "";
            var verb = request.Method switch
            {
                "GET" when request.Query["watch"] == "true" => "watch",
                "GET" => name.Length > 0 ? "get" : "list",
                "POST" => "create",
                "PUT" => "update",
                "PATCH" => "patch",
                _ => "delete",
            };
            return new Target(verb, group + parts[at], ns, name, parts.Length > at + 2 && parts[at + 2] == "status", field);
        }
    }
}

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
/// subresource, custom resources with their schemas, bearer tokens and roles; and faults on demand. By the API's documentation (API concepts), for what a client
/// of it may meet.
/// </summary>
public sealed class InProcessApiServer : IAsyncDisposable
{
    private readonly WebApplication _web;
    private readonly CustomDefinitions _definitions;
    private readonly Writer _writer;
    private readonly ConcurrentDictionary<string, (long Version, List<JsonObject> Left)> _pages = new(StringComparer.Ordinal);
    private Access? _access;
    private readonly ConcurrentQueue<(int Code, TimeSpan? RetryAfter)> _faults = new();
    private readonly Lock _cutLock = new();
    private CancellationTokenSource _cut = new();
    private volatile bool _cutInside;

    private readonly Socket _listening;

    private InProcessApiServer(WebApplication web, Socket listening, ObjectStore store)
    {
        _web = web;
        _listening = listening;
        Store = store;
        _definitions = new CustomDefinitions(store);
        _writer = new Writer(store, _definitions);
    }

    public ObjectStore Store { get; }

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

    /// <summary>As a cluster: with accounts and roles, namespaces that have to exist, and definitions that have to be created.</summary>
    /// <param name="before">The one that it is again, with its accounts' tokens.</param>
    /// <returns>The token of somebody who may everything.</returns>
    public string Guard(InProcessApiServer? before = null)
    {
        foreach (var resource in ServedKind.BuiltIn)
            _definitions.Install(resource);
        foreach (var definition in Store.List(CustomDefinitions.Resource, "", "").Objects)
            _definitions.Created(definition);
        _writer.ChecksNamespaces = true;
        _access = before?._access ?? new Access(Store);
        return _access.Admin;
    }

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
        var server = new InProcessApiServer(web, listening, store) { Address = $"{(certificate is null ? "http" : "https")}://{listening.LocalEndPoint}" };
        foreach (var resource in resources)
            server.Install(resource);
        web.Run(server.HandleAsync);
        await web.StartAsync().ConfigureAwait(false);
        return server;
    }

    public KubernetesClientConfiguration Client() => new() { Host = Address, AccessToken = Token.Length > 0 ? Token : null };

    public void Install(string resource) => _definitions.Install(resource);

    public void Uninstall(string resource) => _definitions.Uninstall(resource);

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
            var target = ApiTarget.Parse(http.Request);
            var request = new ApiRequest(target.Verb, target.Ruled, target.Namespace, target.Name, http.Request.QueryString.Value ?? "");
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

            _access?.Check((string?)http.Request.Headers.Authorization ?? "", target);
            await AnswerAsync(http, target, Served(target)).ConfigureAwait(false);
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

    private ServedKind Served(ApiTarget target)
    {
        var kind = _definitions[target.Resource] ?? (target.Resource == CustomDefinitions.Resource ? ServedKind.Of(target.Resource) : null);
        return kind is not null && (kind.Versions.Length == 0 || kind.Versions.Contains(target.Version)) ? kind : throw new StoreException(404, "NotFound", "the server could not find the requested resource");
    }

    private async Task AnswerAsync(HttpContext http, ApiTarget target, ServedKind kind)
    {
        switch (target.Verb)
        {
            case "watch":
                await WatchAsync(http, target, kind).ConfigureAwait(false);
                break;
            case "list":
                await WriteAsync(http, http.Request.Headers.Accept.ToString().Contains("as=Table", StringComparison.Ordinal)
                    ? TableText.Of(kind, Store.List(target.Resource, target.Namespace, target.Field).Objects)
                    : Page(http.Request.Query, target, kind)).ConfigureAwait(false);
                break;
            case "get":
                await WriteAsync(http, Store.Get(target.Resource, target.Namespace, target.Name)).ConfigureAwait(false);
                break;
            case "delete":
                var options = http.Request.ContentLength > 0 ? await BodyAsync(http).ConfigureAwait(false) : null;
                await WriteAsync(http, _writer.Delete(target, http.Request.Query, options)).ConfigureAwait(false);
                break;
            case "create":
                var created = await BodyAsync(http).ConfigureAwait(false);
                http.Response.StatusCode = 201;
                await WriteAsync(http, target is { Resource: "serviceaccounts", Subresource: "token" } && _access is { } access
                    ? access.Issue(target.Namespace, target.Name, created)
                    : _writer.Create(target, kind, created, http.Request.Query)).ConfigureAwait(false);
                break;
            default:
                await WriteAsync(http, _writer.Change(target, kind, await BodyAsync(http).ConfigureAwait(false), http.Request)).ConfigureAwait(false);
                break;
        }
    }

    private static async Task<JsonObject> BodyAsync(HttpContext http) =>
        (JsonObject)(await JsonNode.ParseAsync(http.Request.Body, cancellationToken: http.RequestAborted).ConfigureAwait(false))!;

    /// <summary>Every page is of the moment of the first; a moment that is forgotten has no more pages.</summary>
    private JsonObject Page(IQueryCollection query, ApiTarget target, ServedKind kind)
    {
        var (version, rest) = Store.List(target.Resource, target.Namespace, target.Field);
        if ((string?)query["continue"] is { Length: > 0 } place)
            (version, rest) = _pages.TryGetValue(place, out var begun) && begun.Version >= Store.CompactedTo(target.Resource)
                ? begun
                : throw new StoreException(410, "Expired", "The provided continue parameter is too old to display a consistent list result.");
        foreach (var pair in ((string?)query["labelSelector"] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
            if (pair.Split('=') is [var label, var value])
                rest = [.. rest.Where(o => (string?)o["metadata"]?["labels"]?[label] == value)];
        var limit = int.TryParse(query["limit"], CultureInfo.InvariantCulture, out var l) && l > 0 ? l : int.MaxValue;
        var metadata = new JsonObject { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture) };
        if (rest.Count > limit)
        {
            var next = Guid.NewGuid().ToString("N");
            _pages[next] = (version, rest[limit..]);
            metadata["continue"] = next;
            metadata["remainingItemCount"] = rest.Count - limit;
        }

        return new JsonObject
        {
            ["kind"] = $"{kind.Kind}List",
            ["apiVersion"] = target.ApiVersion,
            ["metadata"] = metadata,
            ["items"] = new JsonArray([.. rest.Take(limit).Select(o => Item(o, kind))]),
        };
    }

    /// <summary>The items of a list do not say of what kind they are, unless it is a custom one.</summary>
    private static JsonObject Item(JsonObject obj, ServedKind kind)
    {
        var item = (JsonObject)obj.DeepClone();
        if (!kind.IsCustom)
        {
            item.Remove("kind");
            item.Remove("apiVersion");
        }

        return item;
    }

    private async Task WatchAsync(HttpContext http, ApiTarget target, ServedKind kind)
    {
        var query = http.Request.Query;
        var initial = query["sendInitialEvents"] == "true";
        if (initial && !StreamsLists)
            throw new StoreException(422, "Invalid", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled");
        if (initial != (query["resourceVersionMatch"] == "NotOlderThan"))
            throw new StoreException(422, "Invalid", "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, and the other way round");
        CancellationToken cut;
        lock (_cutLock)
            cut = _cut.Token;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cut, http.RequestAborted);
        if (int.TryParse(query["timeoutSeconds"], CultureInfo.InvariantCulture, out var seconds))
            end.CancelAfter(TimeSpan.FromSeconds(seconds));

        var marks = query["allowWatchBookmarks"] == "true";
        var at = long.TryParse(query["resourceVersion"], CultureInfo.InvariantCulture, out var asked) && asked > 0 ? asked : Store.Version;
        if (!initial)
            Store.Since(target.Resource, target.Namespace, target.Field, at);
        http.Response.ContentType = "application/json";
        http.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
        await http.Response.StartAsync(end.Token).ConfigureAwait(false);
        try
        {
            if (initial || asked == 0)
                at = await InitialAsync(http, target, kind, initial && marks, end.Token).ConfigureAwait(false);
            while (true)
            {
                var changed = Store.Changed;
                var (version, events) = Store.Since(target.Resource, target.Namespace, target.Field, at);
                foreach (var e in events)
                    await EventAsync(http, e.Type, e.Object, end.Token).ConfigureAwait(false);
                at = version;
                if (events.Count == 0 && await Task.WhenAny(changed, Task.Delay(BookmarkInterval, end.Token)).ConfigureAwait(false) != changed && marks)
                    await EventAsync(http, "BOOKMARK", Bookmark(target, kind, at, ended: false), end.Token).ConfigureAwait(false);
                end.Token.ThrowIfCancellationRequested();

                // Its definition is gone, and so is whatever it could tell of.
                if (kind.IsCustom && events.Count == 0 && _definitions[target.Resource] is null)
                    return;
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

    private async Task<long> InitialAsync(HttpContext http, ApiTarget target, ServedKind kind, bool saysEnd, CancellationToken stop)
    {
        var (version, all) = Store.List(target.Resource, target.Namespace, target.Field);
        foreach (var obj in all)
            await EventAsync(http, "ADDED", obj, stop).ConfigureAwait(false);
        if (saysEnd)
            await EventAsync(http, "BOOKMARK", Bookmark(target, kind, version, ended: true), stop).ConfigureAwait(false);
        return version;
    }

    private static JsonObject Bookmark(ApiTarget target, ServedKind kind, long version, bool ended)
    {
        var metadata = new JsonObject { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture) };
        if (ended)
            metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
        return new JsonObject { ["kind"] = kind.Kind, ["apiVersion"] = target.ApiVersion, ["metadata"] = metadata };
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
}

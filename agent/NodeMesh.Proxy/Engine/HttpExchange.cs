using NodeMesh.Plan;
using NodeMesh.Proxy.Filters;
using NodeMesh.Proxy.Http;
using NodeMesh.Proxy.Routing;
using NodeMesh.Proxy.Upstream;

namespace NodeMesh.Proxy.Engine;

/// <summary>One request and its response: route, endpoint, policy, filters, then bytes both ways. Rented while a request is under way.</summary>
internal sealed partial class HttpExchange(Worker worker) : IUpstreamOwner
{
    private enum Stage : byte
    {
        /// <summary>A filter has asked to wait before the request is sent.</summary>
        RequestPaused,
        Connecting,
        ResponseHead,

        /// <summary>A filter has asked to wait before the response's head is sent.</summary>
        ResponsePaused,
        ResponseBody,
        Done,
    }

    private readonly FilterContext _context = new(worker.Filters.Length);
    private readonly ResponseHead _response = new();
    private DownstreamConnection _conn = null!;
    private RequestHead _request = null!;
    private UpstreamConnection? _up;
    private EndpointState? _endpoint;
    private Pick _pick;
    private CompiledRoute? _route;
    private CompiledTarget? _target;
    private string _routeName = "-";
    private string _clusterName = "-";
    private Stage _stage;
    private BodyFlow _requestBody;
    private BodyFlow _responseBody;
    private bool _dechunk;
    private bool _requestSent;

    /// <summary>The backend takes no more of the request.</summary>
    private bool _requestCut;
    private bool _continueSent;
    private bool _responseStarted;
    private long _bodyBytesSent;
    private long _startTicks;
    private long _readAtStart;
    private long _writtenAtStart;
    private long _lastActivity;
    private long _headDeadline;
    private long _headTimeout;
    private long _wholeDeadline;
    private long _tryDeadline;
    private long _tryTimeout;
    private int _attempts;
    private int _status;
    private CloseReason _reason;
    private string? _detail;

    /// <summary>The response is in the connection's buffer or sent; the next request may be read.</summary>
    public bool Finished => _stage == Stage.Done;

    public bool KeepDownstream { get; private set; }

    public void Begin(DownstreamConnection conn, RequestHead head, ParseStatus parsed)
    {
        Reset(conn, head);
        if (parsed != ParseStatus.Complete)
        {
            var status = parsed switch
            {
                ParseStatus.TooLarge => 431,
                ParseStatus.Version => 505,
                ParseStatus.Expectation => 417,
                ParseStatus.Unsupported => 501,
                _ => 400,
            };
            Refuse(status, CloseReason.DownstreamProtocolError, "http1_codec_error");
            return;
        }

        KeepDownstream = head.KeepAlive;
        _requestBody.Start(head.Framing, head.ContentLength);
        ConnectionTokens.DropHopByHop(head, _context.RequestEdits);
        if (Route())
            RunRequestFilters();
    }

    /// <summary>The head did not come in time.</summary>
    public void BeginTimeout(DownstreamConnection conn, RequestHead head)
    {
        Reset(conn, head);
        Refuse(408, CloseReason.StreamIdle, "request_header_timeout");
    }

    public void OnUpstream() => _conn.Drive();

    /// <summary>Moves what can be moved, in both directions.</summary>
    public void Pump()
    {
        while (_stage != Stage.Done)
        {
            if (_stage is Stage.RequestPaused or Stage.ResponsePaused)
            {
                if (!PumpPause())
                    return;
                continue;
            }

            if (_stage == Stage.Connecting && !CheckConnected())
                return;
            if (_stage == Stage.Done || _up is null)
                continue;
            PumpRequest();
            if (_stage is Stage.Done or Stage.Connecting)
                continue;
            if (!PumpResponse())
                return;
        }
    }

    public void OnTimer(long now)
    {
        if (_stage == Stage.Done)
            return;
        if (now >= NextDeadline)
            Refuse(504, CloseReason.UpstreamTimeout, "response_timeout");
        else if (now - _lastActivity >= worker.Times.StreamIdle)
            Refuse(_requestBody.IsComplete ? 504 : 408, CloseReason.StreamIdle, "stream_idle_timeout");
        else
            ArmTimer();
    }

    /// <summary>The client's connection is being closed under a running request.</summary>
    public void ClientGone(CloseReason reason)
    {
        if (_stage == Stage.Done)
            return;
        _reason = reason;
        if (!_responseStarted)
            _status = 0;
        Finish(keepUpstream: false);
    }

    /// <summary>A defect of ours: the exchange cannot go on.</summary>
    public void Fail() => _conn.Abort(CloseReason.LocalReset);

    public void Release()
    {
        if (_stage != Stage.Done)
            Finish(keepUpstream: false);
        _context.Reset();
        _pause++;
        _route = null;
        _target = null;
        _endpoint = null;
        _conn = null!;
    }

    private void Reset(DownstreamConnection conn, RequestHead head)
    {
        _conn = conn;
        _request = head;
        _context.Reset();
        _context.Request = head;
        _context.Plan = worker.State.Current;
        _context.Client = conn.Client;
        _up = null;
        _endpoint = null;
        _routeName = _clusterName = "-";
        _stage = Stage.Connecting;
        _filterIndex = 0;
        NewPause();
        _requestBody = _responseBody = default;
        _requestBody.Start(BodyFraming.None, 0);
        _dechunk = _requestSent = _requestCut = _continueSent = _responseStarted = false;
        _bodyBytesSent = 0;
        _startTicks = worker.Time.GetTimestamp();
        _readAtStart = conn.BytesRead;
        _writtenAtStart = conn.BytesWritten;
        _lastActivity = worker.Now;
        _headDeadline = _wholeDeadline = _tryDeadline = _tryTimeout = long.MaxValue;
        _headTimeout = worker.Times.Route;
        _attempts = 0;
        _status = 0;
        _reason = CloseReason.None;
        _detail = null;
        KeepDownstream = false;
    }

    /// <summary>From the request to an endpoint that policy may still refuse.</summary>
    /// <returns>False when it was answered.</returns>
    private bool Route()
    {
        var plan = _context.Plan;
        RouteTablePlan? table;
        ClusterPlan? cluster = null;
        if (_conn.GatewayListener is { Gateway: { } gateway })
        {
            _routeName = gateway.Name;
            var hosts = CompiledGateway.For(gateway);
            var host = hosts.Select(_request.Authority);
            if (host is null)
                return Refuse(404, CloseReason.NoRoute, "route_not_found");
            if (_conn.Transport.ServerName is { } name && !ReferenceEquals(hosts.Select(name), host))
                return Refuse(421, CloseReason.Misdirected, "misdirected_request");
            _routeName = host.Listener;
            table = host.Routes;
        }
        else if (plan.Services.TryGetValue(_conn.Destination, out var service))
        {
            _routeName = service.Name;
            table = service.RoutesFor(plan.LocalPods.GetValueOrDefault(_conn.Client));
            cluster = service.Cluster;
        }
        else
        {
            table = null;
            _routeName = DirectClusters.Name;
            cluster = worker.Direct.Of(_conn.Destination);
        }

        if (table is not null)
        {
            _route = CompiledRoutes.For(table).Match(_request);
            if (_route is null)
                return Refuse(404, CloseReason.NoRoute, "route_not_found");
            if (!FollowRoute(_route, ref cluster))
                return false;
        }

        ForwardedHeaders.Add(worker, _conn, _request, _context.RequestEdits);
        return PickEndpoint(cluster!);
    }

    private bool FollowRoute(CompiledRoute route, ref ClusterPlan? cluster)
    {
        _routeName = route.Action.Name;
        SetTimes(route.Action);
        if (route.Action.Redirect is { } redirect)
        {
            Reply(redirect.StatusCode, CloseReason.None, "direct_response", "", route.Location(_request, _conn.Transport.IsEncrypted, _conn.Destination.Port));
            return false;
        }

        _target = route.Choose();
        cluster = _target?.Plan.Cluster;
        if (cluster is null)
            return Refuse(500, CloseReason.NoCluster, "no_valid_backend");
        route.RequestHeaders.Apply(_request, _context.RequestEdits);
        _target!.RequestHeaders.Apply(_request, _context.RequestEdits);
        route.Rewrite(_request, _context.RequestEdits);
        return true;
    }

    private bool PickEndpoint(ClusterPlan cluster)
    {
        _clusterName = cluster.Name;
        _pick = Destinations.Pick(worker, _context.Plan, _conn, cluster, out var reason);
        if (_pick.Endpoint is null)
            return Refuse(503, reason, "no_healthy_upstream");
        if (!_pick.Policy.Allowed)
            return Refuse(403, CloseReason.PolicyDenied, "policy_denied", "RBAC: access denied");
        _context.Endpoint = _pick.Endpoint.Address;
        _context.EgressRules = _pick.Policy.Egress;
        _context.IngressRules = _pick.Policy.Ingress;
        _context.Audited = _pick.Policy.Audit;
        return true;
    }

    private bool Refuse(int status, CloseReason reason, string? detail, string? body = null)
    {
        Reply(status, reason, detail, body ?? LocalReplies.Phrase(status), null);
        return false;
    }

    /// <summary>Our own answer, or a reset when the backend's has begun already.</summary>
    private void Reply(int status, CloseReason reason, string? detail, string body, string? location)
    {
        _reason = reason;
        _detail = detail;
        if (_responseStarted)
        {
            Finish(keepUpstream: false);
            _conn.Abort(CloseReason.None);
            return;
        }

        _status = status;
        if (status is 400 or 408 or 417 or 431 or 501 or 505)
            KeepDownstream = false;
        if (KeepDownstream && !_requestBody.IsComplete)
            KeepDownstream = SkipBody();
        if (IsLast)
            KeepDownstream = false;
        var written = LocalReplies.Write(
            _conn.Output(), status, body, location, !KeepDownstream || worker.Draining, _request.KnownMethod != KnownMethod.Head);
        _responseStarted = true;
        Finish(keepUpstream: false);
        if (!written)
            _conn.Abort(CloseReason.Overflow);
        else
            _ = _conn.Flush();
    }

    /// <summary>A body that is here already is dropped, so that the connection can go on; for more of it nobody waits.</summary>
    private bool SkipBody()
    {
        if (_conn.In is not { } buffer || _request.ExpectsContinue)
            return false;
        _requestBody.Clear(buffer.Unread);
        if (!_requestBody.IsAllCleared || _requestBody.IsBad)
            return false;
        buffer.Consume(_requestBody.Cleared);
        _requestBody.Cleared = 0;
        return true;
    }

    /// <summary>A time that the route has set covers everything to the response's end, from the request's head on; the default does not cut
    /// what flows. The time of a try runs from its connect to the response's end.</summary>
    private void SetTimes(RouteActionPlan action)
    {
        var whole = Milliseconds(action.Timeout);
        _headTimeout = action.TimeoutCoversResponse ? long.MaxValue : whole;
        _wholeDeadline = action.TimeoutCoversResponse ? Later(whole) : long.MaxValue;
        _tryTimeout = Milliseconds(action.BackendTimeout);

        static long Milliseconds(TimeSpan? time) => time is { } t ? (long)t.TotalMilliseconds : long.MaxValue;
    }

    private long NextDeadline => Math.Min(Math.Min(_wholeDeadline, _tryDeadline), _responseStarted ? long.MaxValue : _headDeadline);

    private long Later(long milliseconds) => milliseconds == long.MaxValue ? long.MaxValue : worker.Now + milliseconds;

    private void ArmTimer() => worker.Timers.Set(_conn, Math.Min(NextDeadline, _lastActivity + worker.Times.StreamIdle));
}

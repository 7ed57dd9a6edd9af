using NodeMesh.Proxy.Http;
using NodeMesh.Proxy.Transport;
using NodeMesh.Proxy.Upstream;

namespace NodeMesh.Proxy.Engine;

/// <summary>The request's way: a connection, the head, the body.</summary>
internal sealed partial class HttpExchange
{
    /// <summary>Request bytes that ride with the head in one write.</summary>
    private const int SmallBody = 16 * 1024;

    private void Connect(bool reuse)
    {
        var endpoint = _pick.Endpoint!;
        var key = new PoolKey(_pick.Source, endpoint.Address);
        _attempts++;
        _requestSent = _requestCut = false;
        _tryDeadline = Later(_tryTimeout);
        if (_endpoint is null)
        {
            _endpoint = endpoint;
            endpoint.Active++;
            worker.Stats.UpstreamActive++;
        }

        if (_conn.Early is { } early && early.Key == key && early.ConnectError == 0)
        {
            _conn.Early = null;
            early.Owner = this;
            _up = early;
        }
        else
        {
            _up = (reuse ? worker.Pool.Take(key, this) : null) ?? worker.Pool.Connect(key, endpoint, this);
        }

        _stage = Stage.Connecting;
        if (!_up.IsOpen)
        {
            DropUpstream();
            Refuse(503, CloseReason.UpstreamConnectFailure, "upstream_connect_failed");
            return;
        }

        WriteRequestHead();
        ArmRoute();
    }

    private void WriteRequestHead()
    {
        var up = _up!;
        var bound = HeadWriter.Bound(_request.HeadLength, _context.RequestEdits);
        if (bound > BufferPool.Large)
        {
            DropUpstream();
            Refuse(431, CloseReason.DownstreamProtocolError, "request_headers_too_large");
            return;
        }

        up.Out ??= worker.Buffers.Rent(bound <= BufferPool.Small ? BufferPool.Small : BufferPool.Large);
        HeadWriter.Request(up.Out, _request, _context.RequestEdits, _request.Upgrade);
        if (_requestBody.IsComplete || !_conn.HasInput || _bodyBytesSent > 0)
            return;
        _requestBody.Clear(_conn.In!.Unread);
        if (_requestBody.Cleared is > 0 and <= SmallBody && up.Out.TryAppend(_conn.In.Unread[.._requestBody.Cleared]))
            TookBody(_requestBody.Cleared);
    }

    /// <returns>True when there is a connected upstream to go on with.</returns>
    private bool CheckConnected()
    {
        if (_up is not { } up)
            return true;
        if (up.ConnectError != 0)
        {
            DropUpstream();
            Refuse(503, CloseReason.UpstreamConnectFailure, up.ConnectError == Native.Net.Errnos.TimedOut ? "connection_timeout" : "connection_failure");
            return true;
        }

        if (!up.Connected)
        {
            WatchClient();
            return _stage == Stage.Done;
        }

        _stage = Stage.ResponseHead;
        return true;
    }

    private void PumpRequest()
    {
        var up = _up!;
        if (_requestSent || _requestCut)
            return;
        if (!up.Flush())
        {
            // A backend may answer before it has read the whole request, and close: its answer counts, if there is one.
            _requestCut = up.Broken;
            return;
        }

        while (!_requestBody.IsComplete)
        {
            if (!FillBody())
                return;
            if (_requestBody.Cleared == 0)
                continue;
            var n = up.Write(_conn.In!.Unread[.._requestBody.Cleared]);
            if (n < 0)
            {
                _requestCut = true;
                return;
            }

            if (n > 0)
                TookBody(n);

            if (_requestBody.Cleared > 0)
                return;
        }

        _requestSent = true;
        ArmRoute();
    }

    /// <summary>Gets body bytes cleared.</summary>
    /// <returns>False when none can be had now, or the exchange ended.</returns>
    private bool FillBody()
    {
        if (_conn.HasInput && _requestBody.Cleared < _conn.In!.Length)
            _requestBody.Clear(_conn.In.Unread);
        if (_requestBody.Cleared > 0 || _requestBody.IsAllCleared)
            return true;
        if (_requestBody.IsBad)
        {
            Refuse(400, CloseReason.DownstreamProtocolError, "http1_chunk_error");
            return false;
        }

        if (_request.ExpectsContinue && !_continueSent)
        {
            // As Envoy does: the proxy answers, the backend is not asked.
            _continueSent = true;
            if (!_responseStarted && _conn.Output().TryAppend("HTTP/1.1 100 Continue\r\n\r\n"u8))
                _ = _conn.Flush();
        }

        switch (_conn.Fill())
        {
            case IoStatus.Done:
                _lastActivity = worker.Now;
                return true;
            case IoStatus.WouldBlock:
                return false;
            default:
                _conn.Abort(CloseReason.DownstreamClosed);
                return false;
        }
    }

    private void TookBody(int count)
    {
        _conn.In!.Consume(count);
        _requestBody.Cleared -= count;
        _bodyBytesSent += count;
        _lastActivity = worker.Now;
    }

    /// <summary>While the response is awaited: a client that resets is gone. One that only ends its side has asked all it wants and gets its answer
    /// (RFC 9112, 9.6); early bytes of a next request stay where they are.</summary>
    private void WatchClient()
    {
        if (_conn.Readable && _requestBody.IsComplete && _conn.Fill() == IoStatus.Failed)
            _conn.Abort(CloseReason.DownstreamClosed);
    }

    /// <summary>The client has ended its side and nothing of it is left to answer: the connection ends with this response.</summary>
    private bool IsLast => _conn.Ended && !_conn.HasInput;

    /// <summary>The time for the response's head runs from when the whole request is on its way.</summary>
    private void ArmRoute()
    {
        if (_requestBody.IsComplete && _headDeadline == long.MaxValue)
            _headDeadline = Later(_headTimeout);
        ArmTimer();
    }

    /// <summary>The backend's connection ended without a whole response.</summary>
    private void UpstreamDied()
    {
        var up = _up!;
        var retry = up.Reused && !_responseStarted && _bodyBytesSent == 0 && Methods.IsIdempotent(_request.KnownMethod) && _attempts == 1 && !up.HasInput;
        DropUpstream();
        if (retry)
        {
            worker.Stats.UpstreamRetries++;
            Connect(reuse: false);
            return;
        }

        Refuse(503, CloseReason.UpstreamClosed, "upstream_reset_before_response_started");
    }

    private void DropUpstream()
    {
        if (_up is null)
            return;
        worker.Pool.Recycle(_up, reset: true);
        _up = null;
    }
}

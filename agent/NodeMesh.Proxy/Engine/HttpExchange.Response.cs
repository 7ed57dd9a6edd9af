using NodeMesh.Proxy.Http;
using NodeMesh.Proxy.Stats;
using NodeMesh.Proxy.Transport;

namespace NodeMesh.Proxy.Engine;

/// <summary>The response's way, and the end of an exchange.</summary>
internal sealed partial class HttpExchange
{
    private const int RoundsPerTurn = 64;

    /// <returns>True when the stage changed and there may be more to do; false when waiting.</returns>
    private bool PumpResponse()
    {
        for (var i = 0; i < RoundsPerTurn; i++)
        {
            // The head waits for the body that came with it: one write, one packet, one acknowledgement.
            if (!BodyIsAtHand && !FlushOrAbort())
                return false;

            var moved = _stage switch
            {
                Stage.ResponseHead => ReadHead(),
                Stage.ResponseBody => MoveBody(),
                _ => false,
            };
            if (_stage is Stage.Done or Stage.Connecting or Stage.ResponsePaused)
                return true;
            if (!moved)
            {
                _ = _conn.HasOutput && FlushOrAbort();
                return false;
            }
        }

        worker.Again(_conn);
        return false;
    }

    private bool BodyIsAtHand => _stage == Stage.ResponseBody && !_dechunk && _up is { HasInput: true };

    private bool FlushOrAbort()
    {
        if (_conn.Flush())
            return true;
        if (_conn.Broken)
            _conn.Abort(CloseReason.DownstreamClosed);
        return false;
    }

    private bool ReadHead()
    {
        var up = _up!;
        if (!up.HasInput && !FillResponse())
            return false;
        if (up.In is not { IsEmpty: false } buffer)
            return false;
        switch (ResponseParser.Run(buffer.Array, buffer.Start, buffer.End, _response, _request.KnownMethod == KnownMethod.Head))
        {
            case ParseStatus.Complete:
                break;
            case ParseStatus.NeedMore:
                if (buffer.Room < buffer.Array.Length / 4 && buffer.Array.Length == BufferPool.Small)
                    GrowResponse();
                return FillResponse();
            default:
                DropUpstream();
                Refuse(502, CloseReason.UpstreamProtocolError, "upstream_protocol_error");
                return false;
        }

        _lastActivity = worker.Now;
        if (_response.Status < 200)
            return Interim(buffer);
        return StartResponse();
    }

    private void GrowResponse()
    {
        var large = worker.Buffers.Rent(BufferPool.Large);
        large.TryAppend(_up!.In!.Unread);
        worker.Buffers.Return(_up.In);
        _up.In = large;
    }

    /// <summary>1xx: 101 turns both connections into a tunnel; 100 was ours to say; others are passed on to clients that know them.</summary>
    private bool Interim(IoBuffer buffer)
    {
        var up = _up!;
        if (_response.Status == 101)
        {
            if (!_request.Upgrade)
            {
                DropUpstream();
                Refuse(502, CloseReason.UpstreamProtocolError, "unexpected_upgrade");
                return false;
            }

            _status = 101;
            WriteHead(upgrade: true);
            buffer.Consume(_response.HeadLength);
            _up = null;
            Finish(keepUpstream: false);
            _conn.BecomeTunnel(up);
            return false;
        }

        if (_response.Status != 100 && _request.MinorVersion == 1)
        {
            _context.ResponseEdits.Reset();
            WriteHead(upgrade: false);
            _context.ResponseEdits.Reset();
            _responseStarted = false;
        }

        buffer.Consume(_response.HeadLength);
        return true;
    }

    private bool StartResponse()
    {
        _context.Response = _response;
        _status = _response.Status;
        ConnectionTokens.DropHopByHop(_response, _context.ResponseEdits);
        _route?.ResponseHeaders.Apply(_response, _context.ResponseEdits);
        _target?.ResponseHeaders.Apply(_response, _context.ResponseEdits);
        _filterIndex = 0;
        return RunResponseFilters();
    }

    private bool BeginResponse()
    {
        var buffer = _up!.In!;
        _responseBody.Start(_response.Framing, _response.ContentLength);
        _dechunk = _response.Framing == BodyFraming.Chunked && _request.MinorVersion == 0;
        if (_response.Framing == BodyFraming.UntilClose || _dechunk || !_requestBody.IsComplete || worker.Draining || IsLast)
            KeepDownstream = false;
        if (_dechunk || _response.Status == 204)
            DropFraming();
        if (!WriteHead(upgrade: false))
        {
            DropUpstream();
            Refuse(502, CloseReason.UpstreamProtocolError, "response_headers_too_large");
            return false;
        }

        _responseStarted = true;
        buffer.Consume(_response.HeadLength);
        _stage = Stage.ResponseBody;
        return true;
    }

    private void DropFraming()
    {
        for (var i = 0; i < _response.HeaderCount; i++)
        {
            if (_response.HeaderIdAt(i) is HeaderId.TransferEncoding or HeaderId.Trailer or HeaderId.ContentLength)
                _context.ResponseEdits.Drop(i);
        }
    }

    private bool WriteHead(bool upgrade)
    {
        var bound = HeadWriter.Bound(_response.HeadLength, _context.ResponseEdits);
        var output = _conn.Output();
        if (bound > output.Room)
        {
            if (!output.IsEmpty || bound > BufferPool.Large)
                return false;
            worker.Buffers.Return(output);
            _conn.Out = output = worker.Buffers.Rent(BufferPool.Large);
        }

        HeadWriter.Response(output, _response, _context.ResponseEdits, !KeepDownstream && _response.Status >= 200, upgrade);
        return true;
    }

    private bool MoveBody()
    {
        var up = _up!;
        if (_dechunk)
            return MoveDecoded();
        if (up.HasInput && _responseBody.Cleared < up.In!.Length)
            _responseBody.Clear(up.In.Unread);
        if (_responseBody.Cleared == 0)
            return _responseBody.IsAllCleared ? Complete() : !BadChunks() && FillResponse();

        // What fits rides in the head's write; the rest goes from the one socket's buffer straight into the other's.
        var cleared = up.In!.Unread[.._responseBody.Cleared];
        int n;
        if (_conn.HasOutput && cleared.Length <= SmallBody && _conn.Out!.TryAppend(cleared))
        {
            n = cleared.Length;
        }
        else
        {
            if (!_conn.Flush())
                return false;
            n = _conn.Write(cleared);
        }

        if (n < 0)
        {
            _conn.Abort(CloseReason.DownstreamClosed);
            return false;
        }

        if (n > 0)
            _lastActivity = worker.Now;
        up.In.Consume(n);
        _responseBody.Cleared -= n;
        if (_responseBody.IsComplete)
            return Complete();
        return _responseBody.Cleared == 0;
    }

    /// <summary>For HTTP/1.0 clients: the data without chunk framing, ended by the connection's end.</summary>
    private bool MoveDecoded()
    {
        var up = _up!;
        if (!_conn.Flush())
            return false;
        if (_responseBody.IsAllCleared)
            return Complete();
        if (up.HasInput)
        {
            var buffer = up.In!;
            var output = _conn.Output();
            var take = Math.Min(buffer.Length, output.Room);
            var span = buffer.Array.AsSpan(buffer.Start, take);
            var (used, data) = _responseBody.Decode(span);
            output.TryAppend(span[..data]);
            buffer.Consume(used);
            if (used > 0)
                return true;
            if (BadChunks())
                return false;
        }

        return FillResponse();
    }

    private bool BadChunks()
    {
        if (!_responseBody.IsBad)
            return false;
        DropUpstream();
        Refuse(502, CloseReason.UpstreamProtocolError, "upstream_protocol_error");
        return true;
    }

    /// <returns>True when bytes came, or an end that the response allows.</returns>
    private bool FillResponse()
    {
        var up = _up!;
        switch (up.Fill())
        {
            case IoStatus.Done:
                _lastActivity = worker.Now;
                return true;
            case IoStatus.WouldBlock:
                WatchClient();
                return false;
            case IoStatus.End when _stage == Stage.ResponseBody && _responseBody.Framing == BodyFraming.UntilClose:
                _responseBody.EndOfStream();
                return true;
            default:
                UpstreamDied();
                return false;
        }
    }

    private bool Complete()
    {
        Finish(keepUpstream: _response.KeepAlive && _requestBody.IsComplete && _requestSent);
        _ = _conn.Flush();
        return true;
    }

    /// <summary>Accounts for the request and gives its upstream back. Idempotent.</summary>
    private void Finish(bool keepUpstream)
    {
        if (_stage == Stage.Done)
            return;
        _stage = Stage.Done;
        if (_up is { } up)
        {
            _up = null;
            if (keepUpstream)
                worker.Pool.Put(up);
            else
                worker.Pool.Recycle(up, reset: true);
        }

        if (_endpoint is not null)
        {
            _endpoint.Active--;
            worker.Stats.UpstreamActive--;
            _endpoint = null;
        }

        var duration = worker.Time.GetElapsedTime(_startTicks);
        worker.Stats.Route(_routeName, _clusterName).Count(_status, _reason, (long)duration.TotalMicroseconds);
        if (worker.Ring is not null)
            Record(duration);
    }

    private void Record(TimeSpan duration)
    {
        if (worker.Ring!.TryBegin() is not { } record)
        {
            worker.Stats.AccessLogDropped++;
            return;
        }

        record.Start = worker.Time.GetUtcNow() - duration;
        record.Duration = duration;
        record.Status = _status;
        record.Reason = _reason;
        record.Detail = _detail;
        record.Route = _routeName;
        record.Cluster = _clusterName;
        record.Client = _conn.Client;
        record.ClientPort = _conn.Peer.Port;
        record.Upstream = _attempts > 0 ? _context.Endpoint : default;
        record.BytesReceived = _conn.BytesRead - _readAtStart;
        record.BytesSent = _conn.BytesWritten - _writtenAtStart + (_conn.Out?.Length ?? 0);
        record.Attempts = _attempts;
        record.MethodLength = AccessRecord.Copy(_request.Method, record.MethodBytes);
        record.PathLength = AccessRecord.Copy(_request.Target, record.PathBytes);
        record.AuthorityLength = AccessRecord.Copy(_request.Authority, record.AuthorityBytes);
        record.UserAgentLength = _request.TryGetHeader("user-agent"u8, out var agent) ? AccessRecord.Copy(agent, record.UserAgentBytes) : 0;
        record.RequestIdLength = RequestId(out var id) ? AccessRecord.Copy(id, record.RequestIdBytes) : 0;
        worker.Ring.Commit();
    }

    private bool RequestId(out ReadOnlySpan<byte> id)
    {
        var edits = _context.RequestEdits;
        for (var i = 0; i < edits.AppendedCount; i++)
        {
            id = edits.AppendedValue(i);
            if (!edits.IsAppendedDropped(i) && HeaderIds.Of(edits.AppendedName(i)) == HeaderId.RequestId)
                return true;
        }

        return _request.TryGetHeader(HeaderId.RequestId, out id);
    }
}

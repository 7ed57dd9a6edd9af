using NodeMesh.Proxy.Filters;

namespace NodeMesh.Proxy.Engine;

/// <summary>The filter chain, both ways, and its pauses.</summary>
internal sealed partial class HttpExchange
{
    private int _filterIndex;

    /// <summary>Number of the pause that may come next: what belongs to an earlier one, or to an earlier request, is not heard.</summary>
    private long _pause;

    private bool _pauseEnded;
    private LocalReply? _pauseReply;

    /// <summary>From any thread.</summary>
    internal void EndPause(long pause, LocalReply? reply) => worker.Mailbox.Post(() => PauseEnded(pause, reply));

    private void PauseEnded(long pause, LocalReply? reply)
    {
        if (pause != _pause || _stage is not (Stage.RequestPaused or Stage.ResponsePaused))
            return;
        NewPause();
        _pauseEnded = true;
        _pauseReply = reply;
        worker.Poke(_conn);
    }

    private void NewPause()
    {
        _pauseEnded = false;
        _pauseReply = null;
        _context.Stream = new PausedStream(this, ++_pause);
    }

    /// <returns>True when the pause has ended and the exchange goes on.</returns>
    private bool PumpPause()
    {
        if (!_pauseEnded)
        {
            WatchClient();
            return false;
        }

        _pauseEnded = false;
        _lastActivity = worker.Now;
        var response = _stage == Stage.ResponsePaused;
        if (_pauseReply is { } reply)
            Answer(reply);
        else if (response)
            RunResponseFilters();
        else
            RunRequestFilters();
        return true;
    }

    /// <summary>In order, from where a pause left off; then the upstream.</summary>
    private void RunRequestFilters()
    {
        if (!RunFilters(response: false))
            return;
        if (_context.Audited is { } rule)
            worker.Stats.CountAudited(rule);
        Connect(reuse: true);
    }

    /// <summary>In order, from where a pause left off; then the response begins.</summary>
    private bool RunResponseFilters() => RunFilters(response: true) && BeginResponse();

    /// <returns>False: answered or paused.</returns>
    private bool RunFilters(bool response)
    {
        var filters = worker.Filters;
        while (_filterIndex < filters.Length)
        {
            var filter = filters[_filterIndex++];
            switch (response ? filter.OnResponseHeaders(_context) : filter.OnRequestHeaders(_context))
            {
                case FilterAction.Respond:
                    Answer(_context.Reply);
                    return false;
                case FilterAction.Pause:
                    _stage = response ? Stage.ResponsePaused : Stage.RequestPaused;
                    ArmTimer();
                    return false;
            }
        }

        return true;
    }

    private void Answer(LocalReply reply)
    {
        DropUpstream();
        Refuse(reply.Status, reply.Reason, reply.Detail, reply.Body);
    }
}

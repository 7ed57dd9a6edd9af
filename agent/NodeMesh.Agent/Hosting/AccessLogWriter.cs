using System.Buffers;
using NodeMesh.Flows.AccessLog;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Stats;

namespace NodeMesh.Agent.Hosting;

/// <summary>Writes the proxy's records to stdout, a batch at a time.</summary>
internal sealed class AccessLogWriter(Stream output, bool json) : IAccessLog
{
    private readonly ArrayBufferWriter<byte> _batch = new(64 * 1024);
    private long _written;

    public long Written => Volatile.Read(ref _written);

    public void Write(AccessRecord record)
    {
        var entry = new AccessEntry
        {
            Start = record.Start,
            Duration = record.Duration,
            Status = record.Status,
            Flags = ResponseFlags.Of(record.Reason),
            Detail = record.Detail,
            Route = record.Route,
            Cluster = record.Cluster,
            Client = record.Client,
            ClientPort = record.ClientPort,
            Upstream = record.Upstream.Address,
            UpstreamPort = record.Upstream.Port,
            BytesReceived = record.BytesReceived,
            BytesSent = record.BytesSent,
            Attempts = record.Attempts,
            Method = record.Method,
            Target = record.Target,
            Authority = record.Authority,
            RequestId = record.RequestId,
            UserAgent = record.UserAgent,
        };
        if (json)
            AccessLogText.Json(entry, _batch);
        else
            AccessLogText.Text(entry, _batch);
        Volatile.Write(ref _written, _written + 1);
    }

    public void Flush()
    {
        output.Write(_batch.WrittenSpan);
        output.Flush();
        _batch.ResetWrittenCount();
    }
}

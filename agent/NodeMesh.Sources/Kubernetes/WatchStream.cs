using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace NodeMesh.Sources.Kubernetes;

internal enum WatchEventType
{
    Added,
    Modified,
    Deleted,
    Bookmark,
    Error,
}

/// <param name="Object">As it stands in the answer.</param>
internal readonly record struct WatchEvent(WatchEventType Type, byte[] Object);

/// <summary>The events of a watch: one JSON object a line, for as long as the server lets it go on.</summary>
internal static class WatchStream
{
    /// <summary>An object of etcd has 1.5 MiB at most; as JSON it may be larger.</summary>
    private const int MaxLine = 8 * 1024 * 1024;

    /// <param name="silence">Without a byte for so long the connection counts as dead; the server's bookmarks come once a minute.</param>
    /// <exception cref="JsonException">Something else than events.</exception>
    /// <exception cref="TimeoutException">Silence.</exception>
    public static async IAsyncEnumerable<WatchEvent> ReadAsync(Stream stream, TimeSpan silence, TimeProvider time, [EnumeratorCancellation] CancellationToken stop)
    {
        var pipe = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 64 * 1024));
        try
        {
            while (true)
            {
                var result = await ReadAsync(pipe, silence, time, stop).ConfigureAwait(false);
                var buffer = result.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } end)
                {
                    var line = buffer.Slice(0, end);
                    if (!line.IsEmpty)
                        yield return Parse(line);
                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                }

                if (buffer.Length > MaxLine)
                    throw new JsonException($"an event of more than {MaxLine} bytes");

                // What a cut connection leaves of an event is not one.
                if (result.IsCompleted)
                    yield break;
                pipe.AdvanceTo(buffer.Start, buffer.End);
            }
        }
        finally
        {
            await pipe.CompleteAsync().ConfigureAwait(false);
        }
    }

    private static async Task<ReadResult> ReadAsync(PipeReader pipe, TimeSpan silence, TimeProvider time, CancellationToken stop)
    {
        using var patience = new CancellationTokenSource(silence, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, stop);
        try
        {
            return await pipe.ReadAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            throw new TimeoutException($"no event and no bookmark for {silence.TotalSeconds:0} s");
        }
    }

    private static WatchEvent Parse(ReadOnlySequence<byte> line)
    {
        var bytes = line.ToArray();
        var reader = new Utf8JsonReader(bytes);
        WatchEventType? type = null;
        byte[]? body = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("an event expected");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals("type"u8);
            var isObject = reader.ValueTextEquals("object"u8);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            if (isType)
                type = TypeOf(reader.GetString());
            reader.Skip();
            if (isObject)
                body = bytes[start..(int)reader.BytesConsumed];
        }

        return type is { } known && body is not null ? new WatchEvent(known, body) : throw new JsonException("an event with type and object expected");
    }

    private static WatchEventType TypeOf(string? text) => text switch
    {
        "ADDED" => WatchEventType.Added,
        "MODIFIED" => WatchEventType.Modified,
        "DELETED" => WatchEventType.Deleted,
        "BOOKMARK" => WatchEventType.Bookmark,
        "ERROR" => WatchEventType.Error,
        _ => throw new JsonException($"an event of type '{text}' is not known"),
    };
}

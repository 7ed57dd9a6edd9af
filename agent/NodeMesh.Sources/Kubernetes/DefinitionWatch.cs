using System.Text.Json;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>Tells when a CustomResourceDefinition comes or changes, by its name.</summary>
internal sealed class DefinitionWatch(ApiServer server, Action<string> seen, TimeProvider time)
{
    private const string Path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

    // Definitions carry schemas of many kilobytes that nobody here reads.
    private const string NamesOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(150);

    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        var backoff = new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        var at = "";
        while (true)
        {
            try
            {
                // From "now" when nothing is known: what is there already was tried by whoever reads it.
                var from = at.Length == 0 ? "" : $"&resourceVersion={at}";
                using var response = await server.GetAsync($"{Path}?watch=true&allowWatchBookmarks=true{from}&timeoutSeconds={Random.Shared.Next(300, 600)}", stop, NamesOnly).ConfigureAwait(false);
                var stream = await response.Content.ReadAsStreamAsync(stop).ConfigureAwait(false);
                backoff.Reset();
                await foreach (var e in WatchStream.ReadAsync(stream, s_silence, time, stop).ConfigureAwait(false))
                    at = Take(e);
                continue;
            }
            catch (ApiServerException e) when (e.IsExpired)
            {
                at = "";
                continue;
            }
            catch (Exception e) when (e is ApiServerException or HttpRequestException or IOException or JsonException or TimeoutException
                || (e is OperationCanceledException && !stop.IsCancellationRequested))
            {
                // Without this watch a kind that comes later is found at the next look, minutes later.
            }

            await Task.Delay(backoff.Next(null), time, stop).ConfigureAwait(false);
        }
    }

    /// <returns>The place in the stream.</returns>
    private string Take(WatchEvent e)
    {
        using var definition = JsonDocument.Parse(e.Object);
        if (e.Type == WatchEventType.Error)
            throw new ApiServerException(System.Net.HttpStatusCode.Gone, "the watch cannot go on");
        var metadata = definition.RootElement.GetProperty("metadata");
        if (e.Type is WatchEventType.Added or WatchEventType.Modified && metadata.GetProperty("name").GetString() is { } name)
            seen(name);
        return metadata.GetProperty("resourceVersion").GetString() ?? "";
    }
}

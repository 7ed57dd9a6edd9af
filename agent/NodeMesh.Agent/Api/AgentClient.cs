using Grpc.Core;
using Grpc.Net.Client;

namespace NodeMesh.Agent.Api;

/// <summary>The agent of this node, by its socket.</summary>
internal sealed class AgentClient : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly string _socket;
    private readonly GrpcChannel _channel;

    public AgentClient(string runDir)
    {
        _socket = Path.Combine(runDir, "api.sock");
        _channel = UnixSocketChannel.For(_socket, mostBytes: null); // our own agent's answer, and a mesh may have ten thousand services
    }

    /// <exception cref="CommandFailure">AgentUnreachable, or Usage when the agent does not understand what it is asked.</exception>
    public Task<T> AskAsync<T>(Func<Observer.ObserverClient, CallOptions, AsyncUnaryCall<T>> question, CancellationToken stop) =>
        AskAsync(channel => new Observer.ObserverClient(channel), question, s_patience, stop);

    /// <inheritdoc cref="AskAsync{T}(Func{Observer.ObserverClient, CallOptions, AsyncUnaryCall{T}}, CancellationToken)"/>
    public async Task<T> AskAsync<TClient, T>(Func<ChannelBase, TClient> client, Func<TClient, CallOptions, AsyncUnaryCall<T>> question, TimeSpan patience, CancellationToken stop)
    {
        try
        {
            return await question(client(_channel), new CallOptions(deadline: DateTime.UtcNow + patience, cancellationToken: stop)).ConfigureAwait(false);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.InvalidArgument)
        {
            throw new CommandFailure(ExitCode.Usage, e.Status.Detail, e);
        }
        catch (RpcException e)
        {
            var why = !File.Exists(_socket) ? "there is no such socket" : e.Status.DebugException?.GetBaseException().Message ?? e.Status.Detail;
            throw new CommandFailure(ExitCode.AgentUnreachable, $"no agent answers on {_socket}: {why}. Cure: start it (nodemesh agent), run this as root, or say where it is with --run-dir", e);
        }
    }

    public void Dispose() => _channel.Dispose();
}

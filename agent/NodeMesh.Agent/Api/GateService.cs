using Grpc.Core;
using NodeMesh.Agent.Cni;
using NodeMesh.Agent.Hosting;
using NodeMesh.Model;

namespace NodeMesh.Agent.Api;

/// <summary>Answers the CNI plugin.</summary>
internal sealed class GateService(PodGate gate, AgentView view) : Gate.GateBase
{
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(10);

    public override async Task<HoldReply> Hold(HoldRequest request, ServerCallContext context)
    {
        var addresses = new List<IpAddr>();
        foreach (var text in request.Addresses)
            addresses.Add(IpAddr.TryParse(text, out var address) ? address : throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{text}' is not an address")));
        if (request.ContainerId.Length == 0 || request.Name.Length == 0 || !request.Netns.StartsWith('/'))
            throw new RpcException(new Status(StatusCode.InvalidArgument, "a container id, a pod's name and an absolute path of its network namespace are needed"));
        var limit = TimeSpan.FromMilliseconds(Math.Clamp(request.TimeoutMs, 1, (long)s_longest.TotalMilliseconds));
        var sandbox = new Sandbox(request.ContainerId, new ObjectName(request.Namespace, request.Name), request.Uid, NodePaths.NetnsOf(request.Netns, request.RuntimeProcess), [.. addresses.Distinct()]);
        var reason = await gate.HoldAsync(sandbox, limit, context.CancellationToken).ConfigureAwait(false);
        return new HoldReply { InForce = reason.Length == 0, Reason = reason };
    }

    public override Task<HoldReply> Check(CheckRequest request, ServerCallContext context)
    {
        var name = new ObjectName(request.Namespace, request.Name);
        var status = view.State.Report?.Endpoints.FirstOrDefault(e => e.Name == name);
        var reason = status switch { null => "the agent does not know the pod", { Attached: true } => "", { Problem.Length: > 0 } => status.Problem, _ => "no program is on its interface" };
        return Task.FromResult(new HoldReply { InForce = reason.Length == 0, Reason = reason });
    }

    public override Task<ReleaseReply> Release(ReleaseRequest request, ServerCallContext context)
    {
        gate.Release(request.ContainerId);
        return Task.FromResult(new ReleaseReply());
    }

    public override Task<ReleaseReply> Keep(KeepRequest request, ServerCallContext context)
    {
        gate.Keep(request.ContainerIds.ToHashSet(StringComparer.Ordinal));
        return Task.FromResult(new ReleaseReply());
    }
}

using System.Security.Cryptography;
using k8s;
using k8s.Exceptions;
using Microsoft.Extensions.Logging;
using NodeMesh.Agent.Cni;
using NodeMesh.Agent.Options;
using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Files;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Sources.Kubernetes.Status;

namespace NodeMesh.Agent.Hosting;

/// <summary>The sources that the operator asked for, and the world that they fill.</summary>
internal sealed class MeshSources : IDisposable
{
    private readonly FileSource? _files;

    /// <param name="runDir">Of the agent: objects of a cluster are kept below it.</param>
    /// <exception cref="CommandFailure">BadOptions: the cluster's configuration cannot be used.</exception>
    public MeshSources(SourceOptions options, string runDir, ILogger log)
    {
        World = new MeshWorld((options.ConfigDir is null ? 0 : 1) + (options.Cluster is null ? 0 : 1));
        if (options.ConfigDir is { } directory)
            _files = new FileSource(directory, World.Events);
        if (options.Cluster is { } cluster)
            Cluster = Follow(cluster, cluster.KeepsObjects ? CacheOf(runDir) : null, log);
        Names = string.Join(" and ", new[] { options.ConfigDir, Cluster?.State.Server }.OfType<string>());
    }

    /// <summary>Where objects of a cluster are kept.</summary>
    public static string CacheOf(string runDir) => Path.Combine(runDir, "objects");

    public MeshWorld World { get; }

    /// <summary>Null: there is none.</summary>
    public KubernetesSource? Cluster { get; }

    /// <summary>For people: "/etc/nodemesh and https://10.0.0.1:6443".</summary>
    public string Names { get; }

    /// <summary>Runs until it is cancelled.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Task RunAsync(CancellationToken stop) => Task.WhenAll(_files?.RunAsync(stop) ?? Task.CompletedTask, Cluster?.RunAsync(stop) ?? Task.CompletedTask);

    /// <summary>Statuses of the cluster's objects, by what the agent knows; without a cluster, nothing until it is cancelled.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Task WriteStatusesAsync(string node, ObservedState state, ILogger log, CancellationToken stop)
    {
        if (Cluster is not { } cluster)
            return Task.Delay(Timeout.Infinite, stop);
        var enforced = SourceProgress.None;
        return cluster.WriteStatusesAsync(
            node,
            () =>
            {
                var heard = World.Progress;
                var seen = state.Mesh;

                // The plan is a moment behind the snapshot, and the kernel behind the plan.
                if (state.Enforced >= heard.Revision)
                    enforced = heard;
                return new StatusInput(seen.Snapshot, seen.Plan.Diagnostics, seen.Snapshot.Revision >= heard.Revision ? heard : SourceProgress.None, enforced);
            },
            what => log.LogWarning("Statuses cannot be written: {Problem}; it is tried again", what), stop);
    }

    /// <summary>Writes the Event; null without a cluster.</summary>
    public Func<OpenedPod, CancellationToken, Task<string>>? WarnOfUnguarded => Cluster is not { } cluster ? null : (pod, stop) =>
        cluster.WarnOfPodAsync(new ObjectName(pod.Namespace, pod.Name), pod.Uid, pod.At, UnguardedPods.EventReason, UnguardedPods.Message(pod), stop);

    public void Dispose() => Cluster?.Dispose();

    private KubernetesSource Follow(ClusterOptions options, string? cache, ILogger log)
    {
        try
        {
            var access = options.Kubeconfig.Length > 0
                ? new ApiServerAccess(KubernetesClientConfiguration.BuildConfigFromConfigFile(options.Kubeconfig))
                : ApiServerAccess.OfServiceAccount(KubernetesClientConfiguration.InClusterConfig(), SourceOptions.ServiceAccount);
            return new KubernetesSource(access with { Servers = [.. options.ApiServers] }, World.Events, cache, what => log.LogWarning("Objects: {What}", what));
        }
        catch (Exception e) when (e is KubeConfigException or IOException or UnauthorizedAccessException or FormatException or CryptographicException or YamlDotNet.Core.YamlException)
        {
            var what = options.Kubeconfig.Length > 0 ? $"--kubeconfig {options.Kubeconfig}" : "the pod's service account";
            throw new CommandFailure(ExitCode.BadOptions, $"{what}: {e.Message}. Cure: give a kubeconfig that kubectl can use on this node", e);
        }
    }
}

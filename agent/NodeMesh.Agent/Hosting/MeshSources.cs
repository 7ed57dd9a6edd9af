using System.Security.Cryptography;
using k8s;
using k8s.Exceptions;
using NodeMesh.Agent.Options;
using NodeMesh.Sources;
using NodeMesh.Sources.Files;
using NodeMesh.Sources.Kubernetes;

namespace NodeMesh.Agent.Hosting;

/// <summary>The sources that the operator asked for, and the world that they fill.</summary>
internal sealed class MeshSources : IDisposable
{
    private readonly FileSource? _files;

    /// <exception cref="CommandFailure">BadOptions: the cluster's configuration cannot be used.</exception>
    public MeshSources(SourceOptions options)
    {
        World = new MeshWorld((options.ConfigDir is null ? 0 : 1) + (options.Cluster is null ? 0 : 1));
        if (options.ConfigDir is { } directory)
            _files = new FileSource(directory, World.Events);
        if (options.Cluster is { } cluster)
            Cluster = Follow(cluster);
        Names = string.Join(" and ", new[] { options.ConfigDir, Cluster?.State.Server }.OfType<string>());
    }

    public MeshWorld World { get; }

    /// <summary>Null: there is none.</summary>
    public KubernetesSource? Cluster { get; }

    /// <summary>For people: "/etc/nodemesh and https://10.0.0.1:6443".</summary>
    public string Names { get; }

    /// <summary>Runs until it is cancelled.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Task RunAsync(CancellationToken stop) => Task.WhenAll(_files?.RunAsync(stop) ?? Task.CompletedTask, Cluster?.RunAsync(stop) ?? Task.CompletedTask);

    public void Dispose() => Cluster?.Dispose();

    private KubernetesSource Follow(ClusterOptions options)
    {
        try
        {
            var configuration = options.Kubeconfig.Length > 0
                ? KubernetesClientConfiguration.BuildConfigFromConfigFile(options.Kubeconfig)
                : KubernetesClientConfiguration.InClusterConfig();
            if (options.ApiServer.Length > 0)
                configuration.Host = options.ApiServer;
            return new KubernetesSource(configuration, World.Events);
        }
        catch (Exception e) when (e is KubeConfigException or IOException or UnauthorizedAccessException or FormatException or CryptographicException or YamlDotNet.Core.YamlException)
        {
            var what = options.Kubeconfig.Length > 0 ? $"--kubeconfig {options.Kubeconfig}" : "the pod's service account";
            throw new CommandFailure(ExitCode.BadOptions, $"{what}: {e.Message}. Cure: give a kubeconfig that kubectl can use on this node", e);
        }
    }
}

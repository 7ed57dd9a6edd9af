namespace NodeMesh.Agent.Options;

/// <summary>Where the objects come from: a directory, a cluster, or both.</summary>
/// <param name="ConfigDir">Null: no directory.</param>
/// <param name="Cluster">Null: no cluster.</param>
internal sealed record SourceOptions(string? ConfigDir, ClusterOptions? Cluster)
{
    /// <summary>A pod's service account, as the kubelet mounts it.</summary>
    public const string ServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <param name="exists">Whether there is such a file.</param>
    /// <exception cref="CommandFailure">BadOptions.</exception>
    public static SourceOptions Read(OptionValues values, Func<string, bool> exists)
    {
        var directory = values.OneOr(OptionTable.ConfigDir, "") is { Length: > 0 } given ? Path.GetFullPath(given) : null;
        if (directory is not null && !Directory.Exists(directory))
            throw new CommandFailure(ExitCode.BadOptions, $"{OptionTable.ConfigDir.Name} {directory}: there is no such directory. Cure: create it, or name the one with your YAML files");
        var kubeconfig = values.OneOr(OptionTable.Kubeconfig, "");
        var servers = values.Many(OptionTable.ApiServer);
        if (kubeconfig.Length > 0 && !exists(kubeconfig))
            throw new CommandFailure(ExitCode.BadOptions, $"{OptionTable.Kubeconfig.Name} {kubeconfig}: there is no such file. Cure: name the kubeconfig of an account that may read what docs/kubernetes.md lists");
        var keeps = values.One(OptionTable.ObjectCache);
        if (kubeconfig.Length > 0)
            return new SourceOptions(directory, new ClusterOptions(Path.GetFullPath(kubeconfig), servers, keeps));
        if (directory is null && exists($"{ServiceAccount}/token"))
            return new SourceOptions(null, new ClusterOptions("", servers, keeps));
        if (directory is null)
            throw new CommandFailure(ExitCode.BadOptions, $"there is nothing to serve: give {OptionTable.ConfigDir.Name} DIR or {OptionTable.Kubeconfig.Name} FILE, or run in a pod with a service account");
        if (servers.Length > 0)
            throw new CommandFailure(ExitCode.BadOptions, $"{OptionTable.ApiServer.Name} is given, but no cluster: add {OptionTable.Kubeconfig.Name} FILE, or leave {OptionTable.ConfigDir.Name} away in a pod");
        return new SourceOptions(directory, null);
    }
}

/// <param name="Kubeconfig">Empty: the pod's service account.</param>
/// <param name="ApiServers">URLs; empty: as that says.</param>
/// <param name="KeepsObjects">For an agent that starts while the API server is away.</param>
internal sealed record ClusterOptions(string Kubeconfig, IReadOnlyList<string> ApiServers, bool KeepsObjects);

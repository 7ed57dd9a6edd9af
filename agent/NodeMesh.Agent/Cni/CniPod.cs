namespace NodeMesh.Agent.Cni;

/// <summary>Whose network it is about, from the plugin's environment.</summary>
/// <param name="Name">Empty: not a pod of Kubernetes, and none of ours.</param>
internal sealed record CniPod(string ContainerId, string Netns, string Namespace, string Name, string Uid)
{
    /// <exception cref="CniException">A variable is missing.</exception>
    public static CniPod Read(Func<string, string?> environment)
    {
        string[] needed = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];
        if (needed.Where(n => environment(n) is not { Length: > 0 }).ToArray() is { Length: > 0 } missing)
            throw CniPlugin.Missing(string.Join(", ", missing));
        var arguments = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in (environment("CNI_ARGS") ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries))
            arguments[pair.Split('=', 2)[0]] = pair.Split('=', 2) is [_, var value] ? value : throw new CniException(CniCode.InvalidEnvironment, $"CNI_ARGS: \"{pair}\" is not KEY=VALUE");
        return new CniPod(
            environment("CNI_CONTAINERID")!, environment("CNI_NETNS")!, arguments.GetValueOrDefault("K8S_POD_NAMESPACE", ""),
            arguments.GetValueOrDefault("K8S_POD_NAME", ""), arguments.GetValueOrDefault("K8S_POD_UID", ""));
    }

    public override string ToString() => $"{Namespace}/{Name}";
}

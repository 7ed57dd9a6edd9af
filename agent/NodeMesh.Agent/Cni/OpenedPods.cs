namespace NodeMesh.Agent.Cni;

/// <summary>Pods that started without their policy in force, left by the plugin for the agent to tell: a file each, named after the container.</summary>
internal static class OpenedPods
{
    private const string Folder = "cni-opened";
    private const int Most = 1000;

    public static void Note(string runDir, string containerId, string what)
    {
        var folder = Directory.CreateDirectory(Path.Combine(runDir, Folder)).FullName;
        if (Directory.EnumerateFiles(folder).Take(Most).Count() < Most)
            File.WriteAllText(Path.Combine(folder, NameOf(containerId)), what);
    }

    public static void Forget(string runDir, string containerId)
    {
        var path = Path.Combine(runDir, Folder, NameOf(containerId));
        if (File.Exists(path))
            File.Delete(path);
    }

    /// <summary>What was left since the last call.</summary>
    public static IReadOnlyList<string> Take(string runDir)
    {
        var folder = Path.Combine(runDir, Folder);
        if (!Directory.Exists(folder))
            return [];
        var taken = new List<string>();
        foreach (var path in Directory.GetFiles(folder))
        {
            taken.Add(File.ReadAllText(path));
            File.Delete(path);
        }

        return taken;
    }

    // The runtime's ids are such already; whatever comes must stay in the folder.
    private static string NameOf(string containerId) => string.Concat(containerId.Where(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_').Take(128));
}

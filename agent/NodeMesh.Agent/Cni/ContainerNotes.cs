using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace NodeMesh.Agent.Cni;

/// <summary>What the plugin leaves in the run directory for whichever agent is there: a small file each, named after the container.</summary>
/// <param name="folder">Below the run directory.</param>
/// <param name="most">More are not left.</param>
internal sealed class ContainerNotes<T>(string folder, int most, JsonTypeInfo<T> type)
    where T : class
{
    public void Write(string runDir, string containerId, T note)
    {
        var all = Directory.CreateDirectory(Path.Combine(runDir, folder)).FullName;
        var path = Path.Combine(all, NameOf(containerId));
        if (!File.Exists(path) && Directory.EnumerateFiles(all).Take(most).Count() >= most)
            return;

        // The agent must not read the half of it.
        var temporary = Path.Combine(all, "." + NameOf(containerId));
        File.WriteAllText(temporary, JsonSerializer.Serialize(note, type));
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>With the file of each.</summary>
    public IReadOnlyList<(string File, T Note)> Read(string runDir)
    {
        var all = Path.Combine(runDir, folder);
        if (!Directory.Exists(all))
            return [];
        var found = new List<(string, T)>();
        foreach (var path in Directory.GetFiles(all).Where(p => Path.GetFileName(p)[0] != '.').Order(StringComparer.Ordinal))
        {
            try
            {
                found.Add((path, JsonSerializer.Deserialize(File.ReadAllText(path), type) ?? throw new JsonException()));
            }
            catch (FileNotFoundException)
            {
                // Taken back just now.
            }
            catch (JsonException)
            {
                // By no plugin of this version.
                File.Delete(path);
            }
        }

        return found;
    }

    public void Remove(string runDir, string containerId)
    {
        if (Directory.Exists(Path.Combine(runDir, folder)))
            File.Delete(Path.Combine(runDir, folder, NameOf(containerId)));
    }

    /// <summary>All of them.</summary>
    public void Clear(string runDir)
    {
        if (Directory.Exists(Path.Combine(runDir, folder)))
            Directory.Delete(Path.Combine(runDir, folder), recursive: true);
    }

    // The runtime's ids are such already; whatever comes must stay in the folder.
    private static string NameOf(string containerId) => string.Concat(containerId.Where(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_').Take(128));
}

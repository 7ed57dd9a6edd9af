using NodeMesh.Agent.Options;

namespace NodeMesh.Agent.Cni;

/// <summary>The plugin's two files on a node: the executable, and its entry in the list that the runtime uses.</summary>
internal static class CniFiles
{
    private const UnixFileMode Executable = (UnixFileMode)0b111_101_101;

    // As libcni has them.
    private static readonly string[] s_extensions = [".conf", ".conflist", ".json"];

    /// <summary>Where the runtime's first file is a single plugin's, which has no place for a second: a list of both that comes before it.</summary>
    private const string OwnList = "0-nodemesh-cni.conflist";

    /// <summary>Puts both where they are missing or not as they should be.</summary>
    /// <param name="binary">What becomes the executable.</param>
    /// <returns>What was done, in words.</returns>
    /// <exception cref="IOException">It could not be.</exception>
    /// <exception cref="UnauthorizedAccessException">It could not be.</exception>
    public static IReadOnlyList<string> Ensure(CniGateOptions options, string runDir, string binary)
    {
        var done = new List<string>();
        var executable = Path.Combine(options.BinDir, CniPlugin.Type);
        if (!IsSame(binary, executable))
        {
            Directory.CreateDirectory(options.BinDir);
            var temporary = Path.Combine(options.BinDir, $".{CniPlugin.Type}.tmp");
            File.Copy(binary, temporary, overwrite: true);
            File.SetUnixFileMode(temporary, Executable);
            File.Move(temporary, executable, overwrite: true);
            done.Add($"wrote {executable}");
        }

        var path = Lists(options.ConfDir).FirstOrDefault() ?? throw new IOException($"there is no CNI configuration in {options.ConfDir} yet");
        var own = Path.Combine(options.ConfDir, OwnList);
        try
        {
            var text = File.ReadAllText(path);
            var entry = CniConfig.Entry(CniPlugin.Type, runDir, options.Mode == CniGateMode.FailOpen, options.Timeout);
            if (ConflistText.ListOf(text, entry) is { } list)
            {
                if (!File.Exists(own) || File.ReadAllText(own) != list)
                {
                    Write(own, list, File.GetUnixFileMode(path));
                    done.Add($"wrote {own}, a list of {path} and {CniPlugin.Type}");
                }

                return done;
            }

            var wanted = ConflistText.With(text, CniPlugin.Type, entry);
            if (wanted != text)
            {
                Replace(path, wanted);
                done.Add($"chained {CniPlugin.Type} into {path}");
            }

            if (File.Exists(own))
            {
                File.Delete(own);
                done.Add($"deleted {own}: {path} is a list now");
            }
        }
        catch (FormatException e)
        {
            throw new IOException($"{CniPlugin.Type} cannot be chained into {path}: {e.Message}", e);
        }

        return done;
    }

    /// <summary>Takes both away, the entry first: no runtime looks then for what is not there.</summary>
    /// <returns>What was done, in words.</returns>
    public static IReadOnlyList<string> Remove(string binDir, string confDir)
    {
        var done = new List<string>();
        foreach (var path in Lists(confDir))
        {
            var text = File.ReadAllText(path);
            var without = ConflistText.Without(text, CniPlugin.Type);
            if (without == text)
                continue;
            Replace(path, without);
            done.Add($"{CniPlugin.Type} in {path}");
        }

        foreach (var path in new[] { Path.Combine(confDir, OwnList), Path.Combine(binDir, CniPlugin.Type) }.Where(File.Exists))
        {
            File.Delete(path);
            done.Add(path);
        }

        return done;
    }

    /// <summary>Others' files, in the order in which a runtime looks, which uses the first.</summary>
    private static IEnumerable<string> Lists(string confDir) => !Directory.Exists(confDir) ? []
        : Directory.EnumerateFiles(confDir).Where(f => s_extensions.Contains(Path.GetExtension(f)) && Path.GetFileName(f) is var name && name[0] != '.' && name != OwnList).Order(StringComparer.Ordinal);

    /// <summary>At once, and with the mode that it had. A file that is a link stays one.</summary>
    private static void Replace(string path, string text)
    {
        var real = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        Write(real, text, File.GetUnixFileMode(real));
    }

    private static void Write(string path, string text, UnixFileMode mode)
    {
        var temporary = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.nodemesh.tmp");
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            file.Write(System.Text.Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        File.SetUnixFileMode(temporary, mode);
        File.Move(temporary, path, overwrite: true);
    }

    private static bool IsSame(string one, string other)
    {
        if (!File.Exists(other) || new FileInfo(one).Length != new FileInfo(other).Length || File.GetUnixFileMode(other) != Executable)
            return false;
        using var left = File.OpenRead(one);
        using var right = File.OpenRead(other);
        var (a, b) = (new byte[1 << 16], new byte[1 << 16]);
        while (left.ReadAtLeast(a, a.Length, throwOnEndOfStream: false) is var count and > 0)
            if (right.ReadAtLeast(b, b.Length, throwOnEndOfStream: false) != count || !a.AsSpan(0, count).SequenceEqual(b.AsSpan(0, count)))
                return false;
        return true;
    }
}

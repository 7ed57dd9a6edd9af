using System.Diagnostics;
using System.Formats.Tar;
using NodeMesh.Agent.Options;
using NodeMesh.Datapath;

namespace NodeMesh.Agent.Hosting;

/// <summary>The BPF objects: those in this binary, or compiled here and now from the sources in it.</summary>
internal static class BpfImageSource
{
    private static readonly string[] s_objects = ["connect.bpf.o", "endpoint.bpf.o", "node.bpf.o"];

    // As bpf/Makefile compiles, with the headers of the archive alone.
    private static readonly string[] s_flags = ["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-std=gnu11", "-nostdinc", "-Ibpf/include", "-Ibpf", "-Isysroot"];

    /// <exception cref="CommandFailure">BpfRejected, with the compiler's messages.</exception>
    public static BpfImages Get(BpfSourceOptions options)
    {
        var images = options.Compile ? Compile(options.Clang) : [.. s_objects.Select(Embedded)];
        return new BpfImages(images[0], images[1], images[2]);
    }

    private static byte[] Embedded(string name)
    {
        using var stream = typeof(BpfImageSource).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not in this binary");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static byte[][] Compile(string clang)
    {
        var compiler = clang.Length > 0 ? clang : FindClang()
            ?? throw new CommandFailure(ExitCode.BpfRejected, "--bpf-compile: no clang-19 or clang in PATH. Cure: install it, or name it with --clang");
        var directory = Directory.CreateTempSubdirectory("nodemesh-bpf-");
        try
        {
            TarFile.ExtractToDirectory(new MemoryStream(Embedded("sources.tar")), directory.FullName, overwriteFiles: false);
            return [.. s_objects.Select(name => CompileOne(compiler, directory.FullName, name))];
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static byte[] CompileOne(string compiler, string directory, string name)
    {
        var target = Path.Combine(directory, name);
        var start = new ProcessStartInfo(compiler) { RedirectStandardError = true, WorkingDirectory = directory };
        foreach (var argument in (string[])[.. s_flags, "-c", Path.Combine("bpf", "prog", name[..^2] + ".c"), "-o", target])
            start.ArgumentList.Add(argument);
        try
        {
            using var process = Process.Start(start) ?? throw new InvalidOperationException($"{compiler} did not start");
            var messages = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0
                ? File.ReadAllBytes(target)
                : throw new CommandFailure(ExitCode.BpfRejected, $"{compiler} cannot compile {name}:\n{messages.TrimEnd()}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new CommandFailure(ExitCode.BpfRejected, $"{compiler} cannot be run: {e.Message}. Cure: install clang, or name it with --clang", e);
        }
    }

    /// <summary>Null when PATH has none.</summary>
    public static string? FindClang() => Find("clang-19") ?? Find("clang");

    private static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(d => Path.Combine(d, program)).FirstOrDefault(File.Exists);
}

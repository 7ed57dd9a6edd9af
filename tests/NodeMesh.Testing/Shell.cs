using System.Diagnostics;
using System.Text;

namespace NodeMesh.Testing;

/// <summary>What a finished command printed.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Errors)
{
    public CommandResult MustSucceed(string what) => ExitCode == 0
        ? this
        : throw new InvalidOperationException($"{what} failed with exit code {ExitCode}\n{Output}{Errors}");
}

/// <summary>Runs programs to their end.</summary>
public static class Shell
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(120);

    public static CommandResult Run(string program, IEnumerable<string> arguments, TimeSpan? timeout = null, string? input = null)
    {
        var info = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using var process = Process.Start(info) ?? throw new InvalidOperationException($"{program} did not start");
        var output = new StringBuilder();
        var errors = new StringBuilder();
        process.OutputDataReceived += (_, e) => Append(output, e.Data);
        process.ErrorDataReceived += (_, e) => Append(errors, e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            if (input is not null)
                process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading: what it said tells why.
        }

        if (!process.WaitForExit(timeout ?? DefaultTimeout))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            return new CommandResult(-1, output.ToString(), $"{errors}timed out: {program} {string.Join(' ', info.ArgumentList)}\n");
        }

        process.WaitForExit();
        return new CommandResult(process.ExitCode, output.ToString(), errors.ToString());
    }

    /// <summary>A few lines of shell, stopped at the first that fails.</summary>
    public static CommandResult Script(string script, TimeSpan? timeout = null) => Run("/bin/sh", ["-ec", script], timeout);

    private static void Append(StringBuilder to, string? line)
    {
        if (line is null)
            return;
        lock (to)
            to.Append(line).Append('\n');
    }
}

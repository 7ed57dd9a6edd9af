using System.Diagnostics;
using System.Text;

namespace NodeMesh.Testing;

/// <summary>A program that runs until it is stopped; its output is kept for when something goes wrong.</summary>
public sealed class ChildProcess : IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly CountdownEvent _open = new(2);

    /// <param name="hear">Is told each line of its standard output.</param>
    internal ChildProcess(ProcessStartInfo info, Action<string>? hear = null)
    {
        info.RedirectStandardOutput = true;
        info.RedirectStandardError = true;
        info.RedirectStandardInput = true;
        _process = Process.Start(info) ?? throw new InvalidOperationException($"{info.FileName} did not start");
        _process.OutputDataReceived += (_, e) =>
        {
            Keep(e.Data);
            if (e.Data is { } line)
                hear?.Invoke(line);
        };
        _process.ErrorDataReceived += (_, e) => Keep(e.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public static ChildProcess Start(string program, IEnumerable<string> arguments) => new(new ProcessStartInfo(program, arguments));

    public int Pid => _process.Id;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>Everything printed so far, both streams.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    /// <summary>How long <see cref="Output"/> is.</summary>
    public int OutputLength
    {
        get
        {
            lock (_output)
                return _output.Length;
        }
    }

    /// <summary>What was printed since <see cref="Output"/> had that length: to be asked often, where all of it would be much.</summary>
    public string OutputSince(int length)
    {
        lock (_output)
            return _output.ToString(length, _output.Length - length);
    }

    /// <summary>User and system time so far.</summary>
    public TimeSpan Cpu
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>A line for its standard input.</summary>
    public void Write(string line)
    {
        lock (_process)
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
        }
    }

    public void Kill()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
    }

    /// <summary>SIGKILL this very moment, without a look for children.</summary>
    public void KillAtOnce()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>SIGTERM, then wait.</summary>
    /// <returns>False when it still runs after <paramref name="timeout"/>.</returns>
    public bool Terminate(TimeSpan timeout)
    {
        if (!_process.HasExited)
            Shell.Run("kill", ["-TERM", Pid.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        return WaitForExit(timeout);
    }

    /// <summary>Waits for the end and for what was printed before it; for the latter not long, since a child of its own may hold the streams.</summary>
    public bool WaitForExit(TimeSpan timeout)
    {
        if (!_process.WaitForExit(timeout))
            return false;
        _open.Wait(TimeSpan.FromSeconds(10));
        return true;
    }

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            _open.Signal();
            return;
        }

        lock (_output)
            _output.Append(line).Append('\n');
    }
}

namespace NodeMesh.Testing;

/// <summary>A named network namespace of a box, and the programs run in it.</summary>
public sealed class Netns
{
    private readonly NodeBox _box;

    internal Netns(string name, NodeBox box)
    {
        Name = name;
        _box = box;
    }

    public string Name { get; }

    public string Path => $"/run/netns/{Name}";

    /// <summary>Runs a program to its end.</summary>
    public CommandResult Run(IEnumerable<string> command, TimeSpan? timeout = null, string? input = null)
    {
        var start = _box.Enter(Name, command);
        return Shell.Run(start.FileName, start.ArgumentList, timeout, input);
    }

    public CommandResult Run(params string[] command) => Run((IEnumerable<string>)command);

    public CommandResult Script(string script, TimeSpan? timeout = null) => Run(["/bin/sh", "-ec", script], timeout);

    /// <summary>Starts a program that goes on; the box ends it at the latest.</summary>
    public ChildProcess Start(params string[] command) => new(_box.Enter(Name, command));

    /// <summary>One request by curl.</summary>
    /// <returns>Status 0 when there was no answer.</returns>
    public HttpAnswer Curl(string url, params string[] more)
    {
        var result = Run(["curl", "-sS", "-m", "5", "-o", "-", "-w", "\n%{http_code} %{exitcode}", .. more, url]);
        var cut = result.Output.TrimEnd().LastIndexOf('\n');
        var last = result.Output.TrimEnd()[(cut + 1)..].Split(' ');
        return new HttpAnswer(
            int.TryParse(last[0], out var status) ? status : 0, cut > 0 ? result.Output[..cut] : "", result.ExitCode, result.Errors.Trim());
    }
}

/// <param name="CurlExit">curl's exit code: 0 fine, 7 refused, 28 timed out.</param>
public sealed record HttpAnswer(int Status, string Body, int CurlExit, string Errors);

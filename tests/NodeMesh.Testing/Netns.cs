namespace NodeMesh.Testing;

/// <summary>A named network namespace of a box, and the programs run in it.</summary>
public sealed class Netns
{
    private readonly NodeBox _box;
    private readonly string _cgroup;

    internal Netns(string name, NodeBox box)
        : this(name, box, box.Cgroup)
    {
    }

    private Netns(string name, NodeBox box, string cgroup)
    {
        Name = name;
        _box = box;
        _cgroup = cgroup;
    }

    /// <summary>The same for programs outside the box's cgroup, of whose sockets the mesh learns nothing.</summary>
    public Netns Unhooked => new(Name, _box, _box.UnhookedCgroup);

    public string Name { get; }

    public string Path => $"/run/netns/{Name}";

    /// <summary>Runs a program to its end.</summary>
    public CommandResult Run(IEnumerable<string> command, TimeSpan? timeout = null, string? input = null)
    {
        var start = NodeBox.Enter(_cgroup, Name, command);
        return Shell.Run(start.FileName, start.ArgumentList, timeout, input);
    }

    public CommandResult Run(params string[] command) => Run((IEnumerable<string>)command);

    public CommandResult Script(string script, TimeSpan? timeout = null) => Run(["/bin/sh", "-ec", script], timeout);

    /// <summary>Starts a program that goes on; the box ends it at the latest.</summary>
    public ChildProcess Start(params string[] command) => new(NodeBox.Enter(_cgroup, Name, command));

    /// <summary>Starts a program; returns when a TCP or UDP port of this namespace is bound, as the program will.</summary>
    public ChildProcess StartServer(int port, params string[] command)
    {
        var server = Start(command);
        Eventually.True(() => server.HasExited || Run("sh", "-c", $"ss -Hltun sport = :{port} | grep -q .").ExitCode == 0, $"{command[0]} listens on {port}");
        return server.HasExited ? throw new InvalidOperationException($"{command[0]} ended:\n{server.Output}") : server;
    }

    /// <summary>An nginx with one worker and all its files in <paramref name="directory"/>; returns when it listens.</summary>
    /// <param name="http">What its http block says beyond what every test wants.</param>
    public ChildProcess StartNginx(string directory, string http)
    {
        Directory.CreateDirectory(directory);
        var pid = System.IO.Path.Combine(directory, "pid");
        var configuration = System.IO.Path.Combine(directory, "nginx.conf");
        File.Delete(pid);
        File.WriteAllText(configuration, $$"""
            daemon off;
            user root;
            worker_processes 1;
            pid {{pid}};
            error_log stderr warn;
            events { worker_connections 4096; }
            http {
              access_log off;
              keepalive_requests 100000000;
              client_max_body_size 0;
              client_body_temp_path {{directory}}/tmp;
              proxy_temp_path {{directory}}/tmp;
              fastcgi_temp_path {{directory}}/tmp;
              uwsgi_temp_path {{directory}}/tmp;
              scgi_temp_path {{directory}}/tmp;
            {{http}}
            }
            """);
        var nginx = Start("nginx", "-p", directory, "-c", configuration);
        Eventually.True(() => nginx.HasExited || File.Exists(pid), $"nginx in {directory} listens");
        return nginx.HasExited ? throw new InvalidOperationException($"nginx in {directory} ended:\n{nginx.Output}") : nginx;
    }

    /// <summary>One request by curl, which waits for its answer longer than a slow machine needs; a test that expects none says a shorter <c>-m</c>.</summary>
    /// <returns>Status 0 when there was no answer.</returns>
    public HttpAnswer Curl(string url, params string[] more)
    {
        var result = Run(["curl", "-sS", "-m", "30", "-o", "-", "-w", "\n%{http_code} %{exitcode}", .. more, url]);
        var cut = result.Output.TrimEnd().LastIndexOf('\n');
        var last = result.Output.TrimEnd()[(cut + 1)..].Split(' ');
        return new HttpAnswer(
            int.TryParse(last[0], out var status) ? status : 0, cut > 0 ? result.Output[..cut] : "", result.ExitCode, result.Errors.Trim());
    }
}

/// <param name="CurlExit">curl's exit code: 0 fine, 7 refused, 28 timed out.</param>
public sealed record HttpAnswer(int Status, string Body, int CurlExit, string Errors);

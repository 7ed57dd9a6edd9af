using System.Diagnostics;
using System.Text.Json;
using Grpc.Core;
using NodeMesh.Agent.Api;
using NodeMesh.Native;

namespace NodeMesh.Agent.Cni;

/// <summary>
/// The chained CNI plugin. It makes nothing and changes nothing: ADD tells the agent the pod's network and waits until its policy is in force, and passes on what the
/// plugins before it made. Runs once for each command, so it touches no part of the binary that it does not need.
/// </summary>
internal static class CniPlugin
{
    /// <summary>Name of the executable and of the entry in a list.</summary>
    public const string Type = "nodemesh-cni";

    // For the answer of an agent that is there and has much to do.
    private static readonly TimeSpan s_slack = TimeSpan.FromSeconds(30);

    // An agent that is replaced is back by then; a runtime that has to say how the node is does not wait longer.
    private static readonly TimeSpan s_replacement = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    /// <summary>A runtime starts a plugin with this set and without arguments.</summary>
    public static bool IsAsked(string[] args) => args.Length == 0 && Environment.GetEnvironmentVariable("CNI_COMMAND") is { Length: > 0 };

    /// <summary>The exit code.</summary>
    public static async Task<int> RunAsync(Func<string, string?> environment, TextReader input, TextWriter output, TextWriter error)
    {
        var version = CniConfig.NewestVersion;
        try
        {
            var command = environment("CNI_COMMAND") is { Length: > 0 } given ? given : throw Missing("CNI_COMMAND");
            var text = await input.ReadToEndAsync().ConfigureAwait(false);
            if (command == "VERSION")
            {
                await output.WriteLineAsync(Versions()).ConfigureAwait(false);
                return 0;
            }

            var config = CniConfig.Read(text);
            version = config.Version;
            await (command switch
            {
                "ADD" => AddAsync(config, CniPod.Read(environment), output, error),
                "CHECK" => CheckAsync(config, CniPod.Read(environment)),
                "DEL" => DeleteAsync(config, environment("CNI_CONTAINERID") is { Length: > 0 } id ? id : throw Missing("CNI_CONTAINERID"), error),
                "GC" => CollectAsync(config, error),
                "STATUS" => StatusAsync(config),
                _ => throw new CniException(CniCode.InvalidEnvironment, $"CNI_COMMAND \"{command}\" is not known"),
            }).ConfigureAwait(false);
            return 0;
        }
        catch (CniException e)
        {
            await output.WriteLineAsync(e.Json(version)).ConfigureAwait(false);
            return 1;
        }
        catch (IOException e)
        {
            await output.WriteLineAsync(new CniException(CniCode.IoFailure, e.Message).Json(version)).ConfigureAwait(false);
            return 1;
        }
    }

    internal static CniException Missing(string variable) => new(CniCode.InvalidEnvironment, $"{variable} is not set");

    private static async Task AddAsync(CniConfig config, CniPod pod, TextWriter output, TextWriter error)
    {
        if (config.PrevResult is not { } result)
            throw new CniException(CniCode.InvalidConfiguration, $"no prevResult: {Type} must not be first in the list", "it makes no network, but holds a pod until policy is in force on the one that another plugin made");
        if (pod.Name.Length > 0)
            await HoldAsync(config, pod, error).ConfigureAwait(false);
        await output.WriteLineAsync(result).ConfigureAwait(false);
    }

    private static async Task HoldAsync(CniConfig config, CniPod pod, TextWriter error)
    {
        var request = new HoldRequest
        {
            ContainerId = pod.ContainerId,
            Namespace = pod.Namespace,
            Name = pod.Name,
            Uid = pod.Uid,
            Netns = pod.Netns,
            RuntimeProcess = ParentProcess.Id,
        };
        request.Addresses.AddRange(config.Addresses);
        KeptSandboxes.Keep(config.RunDir, new KeptSandbox(pod.ContainerId, pod.Namespace, pod.Name, pod.Uid, pod.Netns, request.RuntimeProcess, [.. config.Addresses]));
        var (reason, isAway) = await AskAsync(config, config.Timeout, (gate, call, left) =>
        {
            request.TimeoutMs = Math.Max(1, (long)left.TotalMilliseconds);
            return gate.HoldAsync(request, call);
        }).ConfigureAwait(false) switch
        {
            ({ InForce: true }, _) => ("", false),
            ({ } reply, _) => ($"after {config.Timeout.TotalSeconds:0} s the policy of pod {pod} is not in force: {reply.Reason}", false),
            (null, var why) => (why, true),
        };
        if (reason.Length == 0)
            return;
        if (!config.FailsOpen)
            throw new CniException(isAway ? CniCode.TryAgainLater : CniCode.NotInForce, reason, "the pod does not start before its policy is in force (--cni-gate=fail-closed)");
        await error.WriteLineAsync($"{Type}: pod {pod} starts WITHOUT its policy in force: {reason}").ConfigureAwait(false);
        OpenedPods.Note(config.RunDir, pod.ContainerId, new OpenedPod(pod.Namespace, pod.Name, pod.Uid, DateTimeOffset.UtcNow, reason));
    }

    private static async Task CheckAsync(CniConfig config, CniPod pod)
    {
        if (config.PrevResult is null)
            throw new CniException(CniCode.InvalidConfiguration, "no prevResult: CHECK is for what ADD made");
        if (pod.Name.Length == 0)
            return;
        var (reply, why) = await AskAsync(config, TimeSpan.Zero, (gate, call, _) => gate.CheckAsync(new CheckRequest { Namespace = pod.Namespace, Name = pod.Name }, call)).ConfigureAwait(false);

        // With the agent away the kernel goes on enforcing; that is no fault of this pod.
        if (reply is null && !config.FailsOpen)
            throw new CniException(CniCode.TryAgainLater, why);
        if (reply is { InForce: false })
            throw new CniException(CniCode.NotInForce, $"the policy of pod {pod} is not in force: {reply.Reason}");
    }

    // What an agent that is away does not hear, the next one does not find.
    private static async Task DeleteAsync(CniConfig config, string containerId, TextWriter error)
    {
        KeptSandboxes.Remove(config.RunDir, containerId);
        var (reply, why) = await AskAsync(config, TimeSpan.Zero, (gate, call, _) => gate.ReleaseAsync(new ReleaseRequest { ContainerId = containerId }, call)).ConfigureAwait(false);
        if (reply is null)
            await error.WriteLineAsync($"{Type}: {why}").ConfigureAwait(false);
    }

    private static async Task CollectAsync(CniConfig config, TextWriter error)
    {
        if (config.ValidAttachments is not { } valid)
            throw new CniException(CniCode.InvalidConfiguration, "GC without cni.dev/valid-attachments");
        var request = new KeepRequest();
        request.ContainerIds.AddRange(valid);
        KeptSandboxes.RemoveOthers(config.RunDir, request.ContainerIds.ToHashSet(StringComparer.Ordinal));
        var (reply, why) = await AskAsync(config, TimeSpan.Zero, (gate, call, _) => gate.KeepAsync(request, call)).ConfigureAwait(false);
        if (reply is null)
            await error.WriteLineAsync($"{Type}: {why}").ConfigureAwait(false);
    }

    private static async Task StatusAsync(CniConfig config)
    {
        var (reply, why) = await AskAsync(config, config.FailsOpen ? TimeSpan.Zero : Shorter(config.Timeout, s_replacement), (gate, call, _) => gate.CheckAsync(new CheckRequest(), call)).ConfigureAwait(false);
        if (reply is null && !config.FailsOpen)
            throw new CniException(CniCode.NotAvailable, why);
    }

    /// <summary>The agent's answer, or why there is none.</summary>
    /// <param name="patience">So long an agent is waited for that is not there: it may be replaced just now.</param>
    /// <param name="question">Asked with what is left of that.</param>
    private static async Task<(T? Reply, string Why)> AskAsync<T>(CniConfig config, TimeSpan patience, Func<Gate.GateClient, CallOptions, TimeSpan, AsyncUnaryCall<T>> question)
        where T : class
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            using var agent = new AgentClient(config.RunDir);
            try
            {
                return (await agent.AskAsync(channel => new Gate.GateClient(channel), (gate, call) => question(gate, call, patience - clock.Elapsed), config.Timeout + s_slack, CancellationToken.None).ConfigureAwait(false), "");
            }
            catch (CommandFailure e) when (e.Code == ExitCode.AgentUnreachable && clock.Elapsed < patience)
            {
                await Task.Delay(s_pause).ConfigureAwait(false);
            }
            catch (CommandFailure e)
            {
                return (null, e.Message);
            }
        }
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static string Versions()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("cniVersion", CniConfig.NewestVersion);
            writer.WriteStartArray("supportedVersions");
            foreach (var version in CniConfig.Versions)
                writer.WriteStringValue(version);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }
}

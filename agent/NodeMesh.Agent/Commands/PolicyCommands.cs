using System.CommandLine;
using Grpc.Core;
using NodeMesh.Agent.Api;
using NodeMesh.Agent.Options;
using NodeMesh.Agent.Output;
using NodeMesh.Model;
using NodeMesh.Sources;

namespace NodeMesh.Agent.Commands;

/// <summary>Questions about policy: of the agent, or of files without one.</summary>
internal static class PolicyCommands
{
    public static Verb Explain()
    {
        var verb = new Verb("explain", "Which rule of which object decides about a connection or request, at both ends; nothing is opened",
            new Example("nodemesh policy explain --from shop/front --to shop/api --port 8080", "Pod to pod"),
            new Example("nodemesh policy explain --from shop/front --to shop/api --port 8080 --method DELETE --path /items/1", "And a request"),
            new Example("nodemesh policy explain --from 203.0.113.7 --to service/shop/web --port 443/TCP -o json", "From outside, to each backend"),
            new Example("nodemesh policy explain --from shop/front --to 1.1.1.1 --port 8/ICMP shop/*.yaml", "By files: no agent, no root"));
        var from = new Option<string>("--from") { Description = "Who opens the connection", HelpName = "NAMESPACE/POD|IP", Required = true };
        var to = new Option<string>("--to") { Description = "To whom", HelpName = "NAMESPACE/POD|NAMESPACE/SERVICE|IP", Required = true };
        var port = new Option<string>("--port") { Description = "A port as in 80/TCP or 80, a type as in 8/ICMP, a protocol as in 0/47", HelpName = "PORT", Required = true };
        var method = new Option<string>("--method") { Description = "Of a request [default, with --path or --host: GET]", HelpName = "METHOD" };
        var path = new Option<string>("--path") { Description = "Its target [default, with --method or --host: /]", HelpName = "PATH" };
        var host = new Option<string>("--host") { Description = "Its host", HelpName = "NAME" };
        var headers = new Option<string[]>("--header") { Description = "One of its headers", HelpName = "NAME:VALUE" };
        foreach (var option in (Option[])[from, to, port, method, path, host, headers])
            verb.Options.Add(option);
        var files = FileCommands.Files(verb, ArgumentArity.ZeroOrMore);
        var output = OutputOption.Create();
        var runDir = OptionBinding.To(verb, [OptionTable.RunDir]);
        verb.Options.Add(output);
        verb.Does(async (parse, stop) =>
        {
            var request = new ExplainPolicyRequest
            {
                From = parse.GetValue(from),
                To = parse.GetValue(to),
                Port = parse.GetValue(port),
                Method = parse.GetValue(method) ?? "",
                Path = parse.GetValue(path) ?? "",
                Host = parse.GetValue(host) ?? "",
            };
            request.Headers.AddRange(parse.GetValue(headers) ?? []);
            var reply = parse.GetValue(files) is { Length: > 0 } names
                ? Explain(names, request)
                : await AskAsync(runDir.Read(parse), (a, call) => a.ExplainPolicyAsync(request, call), stop).ConfigureAwait(false);
            await OutputOption.WriteAsync(parse, output, reply, JsonText.Default.ExplainPolicyReply, Tables.Explanation).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Verb Diff()
    {
        var verb = new Verb("diff", "What other policies would newly allow or deny between the pods that exist; nothing changes",
            new Example("nodemesh policy diff changed/", "Policies, namespaces and pods' labels of the directory in place of those of the same name"),
            new Example("nodemesh policy diff --prune all/", "The directory has every policy: those that it does not have are gone"),
            new Example("nodemesh policy diff --in-force now/ changed/", "By files: no agent, no root"));
        var files = FileCommands.Files(verb);
        var prune = new Option<bool>("--prune") { Description = "Policies that the files do not have are gone" };
        var inForce = new Option<string[]>("--in-force") { Description = "Files or directories to compare with, in place of the agent's state", HelpName = "FILE" };
        var most = new Option<int>("--most") { Description = "List no more than so many", HelpName = "N", DefaultValueFactory = _ => 1000 };
        var output = OutputOption.Create();
        var runDir = OptionBinding.To(verb, [OptionTable.RunDir]);
        foreach (var option in (Option[])[prune, inForce, most, output])
            verb.Options.Add(option);
        verb.Does(async (parse, stop) =>
        {
            var request = new DiffPoliciesRequest { Prune = parse.GetValue(prune), Most = parse.GetValue(most) };
            request.Files.AddRange(FileCommands.ReadFiles(parse.GetValue(files)!).Select(f => new Manifest { Path = f.Path, Text = f.Text }));
            var reply = parse.GetValue(inForce) is { Length: > 0 } names
                ? PolicyQuestions.Diff(ManifestReader.Read(FileCommands.ReadFiles(names)).Snapshot, s_noNode, request)
                : await AskAsync(runDir.Read(parse), (a, call) => a.DiffPoliciesAsync(request, call), stop).ConfigureAwait(false);
            if (reply.Diagnostics.FirstOrDefault(d => d.Severity == "error") is { } wrong)
                throw new CommandFailure(ExitCode.InvalidInput, $"{wrong.File}:{wrong.Line} (document {wrong.Document}): {wrong.Object}: {wrong.FieldPath}: {wrong.Message}; nothing was compared, see nodemesh validate");
            await OutputOption.WriteAsync(parse, output, reply, JsonText.Default.DiffPoliciesReply, Tables.Changes).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static readonly NodeFacts s_noNode = new("", [], []);

    private static ExplainPolicyReply Explain(string[] names, ExplainPolicyRequest request)
    {
        var (mesh, diagnostics) = ManifestReader.Read(FileCommands.ReadFiles(names));
        if (diagnostics.FirstOrDefault(d => d.Severity == Severity.Error) is { } wrong)
            throw new CommandFailure(ExitCode.InvalidInput, $"{wrong}; see nodemesh validate");
        try
        {
            return PolicyQuestions.Explain(mesh, s_noNode, request);
        }
        catch (RpcException e)
        {
            throw new CommandFailure(ExitCode.Usage, e.Status.Detail, e);
        }
    }

    private static async Task<T> AskAsync<T>(OptionValues options, Func<Observer.ObserverClient, CallOptions, AsyncUnaryCall<T>> question, CancellationToken stop)
    {
        using var agent = new AgentClient(options.One(OptionTable.RunDir));
        return await agent.AskAsync(question, stop).ConfigureAwait(false);
    }
}

using System.Text.Json.Serialization.Metadata;
using Grpc.Core;
using NodeMesh.Agent.Api;
using NodeMesh.Agent.Options;
using NodeMesh.Agent.Output;

namespace NodeMesh.Agent.Commands;

/// <summary>The verbs that ask the agent of this node.</summary>
internal static class ReadCommands
{
    public static Verb Status() => Ask(
        new Verb("status", "What the agent does and whether it is ready",
            new Example("nodemesh status", "A look at the node"),
            new Example("nodemesh status -o json | jq .ready", "For a script; the exit code is 5 when it is not ready")),
        (agent, call) => agent.StatusAsync(new StatusRequest(), call), Tables.Status, JsonText.Default.StatusReply, reply => reply.Ready ? ExitCode.Ok : ExitCode.NotReady);

    public static Verb Endpoints() => Ask(
        new Verb("endpoints", "The pods of this node, and whether policy is enforced at them",
            new Example("nodemesh endpoints", "Pods, identities, policies and traffic"),
            new Example("nodemesh endpoints -o json | jq '.endpoints[] | select(.state != \"enforced\")'", "Pods that are waited for")),
        (agent, call) => agent.EndpointsAsync(new EndpointsRequest(), call), Tables.Endpoints, JsonText.Default.EndpointsReply);

    public static Verb Services() => Ask(
        new Verb("services", "Services with their backends, and who balances them: kernel or proxy",
            new Example("nodemesh services", "Addresses, ports and backends")),
        (agent, call) => agent.ServicesAsync(new ServicesRequest(), call), ServiceTable.Of, JsonText.Default.ServicesReply);

    public static Verb Policy()
    {
        var verb = Ask(
            new Verb("policy", "Policies and the pods of this node that they select",
                new Example("nodemesh policy", "What is isolated, and by what"),
                new Example("nodemesh policy explain --from shop/front --to shop/api --port 8080", "Which rule decides"),
                new Example("nodemesh policy diff changed/", "What other policies would allow or deny")),
            (agent, call) => agent.PoliciesAsync(new PoliciesRequest(), call), Tables.Policies, JsonText.Default.PoliciesReply);
        verb.Subcommands.Add(PolicyCommands.Explain());
        verb.Subcommands.Add(PolicyCommands.Diff());
        return verb;
    }

    public static Verb Diagnostics() => Ask(
        new Verb("diagnostics", "What is wrong in the objects as written, and what is in force instead",
            new Example("nodemesh diagnostics", "Each with file, line and field"),
            new Example("nodemesh diagnostics -o json | jq '.diagnostics | length'", "How many")),
        (agent, call) => agent.DiagnosticsAsync(new DiagnosticsRequest(), call), Tables.Diagnostics, JsonText.Default.DiagnosticsReply);

    private static Verb Ask<T>(
        Verb verb, Func<Observer.ObserverClient, CallOptions, AsyncUnaryCall<T>> question, Func<T, string> table, JsonTypeInfo<T> json, Func<T, ExitCode>? code = null)
    {
        var runDir = OptionBinding.To(verb, [OptionTable.RunDir]);
        var output = OutputOption.Create();
        verb.Options.Add(output);
        verb.Does(async (parse, stop) =>
        {
            using var agent = new AgentClient(runDir.Read(parse).One(OptionTable.RunDir));
            var reply = await agent.AskAsync(question, stop).ConfigureAwait(false);
            await OutputOption.WriteAsync(parse, output, reply, json, table).ConfigureAwait(false);
            return code?.Invoke(reply) ?? ExitCode.Ok;
        });
        return verb;
    }
}

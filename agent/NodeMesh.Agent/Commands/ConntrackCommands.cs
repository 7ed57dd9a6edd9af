using System.CommandLine;
using NodeMesh.Agent.Api;
using NodeMesh.Agent.Options;
using NodeMesh.Agent.Output;

namespace NodeMesh.Agent.Commands;

/// <summary>The connections that the kernel side tracks.</summary>
internal static class ConntrackCommands
{
    public static Verb Create() => new("conntrack", "Tracked connections: list them, or make the node forget them",
        new Example("nodemesh conntrack list", "What is open"),
        new Example("nodemesh conntrack flush --pod default/web-0", "Judge a pod's connections anew"))
    {
        List(),
        Flush(),
    };

    private static Verb List()
    {
        var verb = new Verb("list", "Tracked connections of this node's pods",
            new Example("nodemesh conntrack list --pod default/web-0", "Of one pod"),
            new Example("nodemesh conntrack list --port 53 --protocol udp -o json", "DNS, for a script"),
            new Example("nodemesh conntrack list --state opening", "Who waits for an answer"));
        var filter = Filter.On(verb);
        var most = new Option<int>("--most") { Description = "List no more than so many", HelpName = "N", DefaultValueFactory = _ => 1000 };
        var output = OutputOption.Create();
        var runDir = OptionBinding.To(verb, [OptionTable.RunDir]);
        verb.Options.Add(most);
        verb.Options.Add(output);
        verb.Does(async (parse, stop) =>
        {
            using var agent = new AgentClient(runDir.Read(parse).One(OptionTable.RunDir));
            var request = filter.Read(parse);
            request.Most = parse.GetValue(most);
            var reply = await agent.AskAsync((a, call) => a.ConnectionsAsync(request, call), stop).ConfigureAwait(false);
            await OutputOption.WriteAsync(parse, output, reply, JsonText.Default.ConnectionsReply, Tables.Connections).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static Verb Flush()
    {
        var verb = new Verb("flush", "Forget tracked connections: each is judged anew at its next packet",
            new Example("nodemesh conntrack flush --address 10.0.0.7", "Those of one peer"),
            new Example("nodemesh conntrack flush --all", "Every one"));
        var filter = Filter.On(verb);
        var all = new Option<bool>("--all") { Description = "Every connection, when nothing else says which" };
        var runDir = OptionBinding.To(verb, [OptionTable.RunDir]);
        verb.Options.Add(all);
        verb.Does(async (parse, stop) =>
        {
            var request = filter.Read(parse);
            if (request.Equals(new ConnectionsRequest()) && !parse.GetValue(all))
                throw new CommandFailure(ExitCode.Usage, "say which connections (--pod, --address, --port, --protocol, --state), or --all");
            using var agent = new AgentClient(runDir.Read(parse).One(OptionTable.RunDir));
            var reply = await agent.AskAsync((a, call) => a.FlushConnectionsAsync(request, call), stop).ConfigureAwait(false);
            await parse.InvocationConfiguration.Output.WriteLineAsync($"{reply.Flushed} forgotten").ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return verb;
    }

    /// <summary>What both verbs choose by.</summary>
    private sealed record Filter(Option<string> Pod, Option<string> Address, Option<uint> Port, Option<string> Protocol, Option<string> State)
    {
        public static Filter On(Command verb)
        {
            var filter = new Filter(
                new Option<string>("--pod") { Description = "At either end, a pod of this node", HelpName = "NAMESPACE/NAME" },
                new Option<string>("--address") { Description = "Of either end", HelpName = "IP" },
                new Option<uint>("--port") { Description = "Of either end", HelpName = "PORT" },
                new Option<string>("--protocol") { Description = "tcp, udp, sctp, icmp, icmpv6 or a number", HelpName = "NAME" },
                new Option<string>("--state") { Description = "opening, established, half-closed or closed", HelpName = "STATE" });
            foreach (var option in (Option[])[filter.Pod, filter.Address, filter.Port, filter.Protocol, filter.State])
                verb.Options.Add(option);
            return filter;
        }

        public ConnectionsRequest Read(ParseResult parse) => new()
        {
            Pod = parse.GetValue(Pod) ?? "",
            Address = parse.GetValue(Address) ?? "",
            Port = parse.GetValue(Port),
            Protocol = parse.GetValue(Protocol) ?? "",
            State = parse.GetValue(State) ?? "",
        };
    }
}

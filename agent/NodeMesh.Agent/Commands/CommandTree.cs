using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using NodeMesh.Agent.Api;

namespace NodeMesh.Agent.Commands;

/// <summary>Every verb of the binary.</summary>
internal static class CommandTree
{
    public static RootCommand Build()
    {
        var root = new RootCommand("NodeMesh: a service mesh with one agent per node. `nodemesh VERB --help` shows examples.")
        {
            AgentCommand.Create(),
            ReadCommands.Status(),
            ReadCommands.Endpoints(),
            ReadCommands.Services(),
            ReadCommands.Policy(),
            ReadCommands.Diagnostics(),
            ConntrackCommands.Create(),
            FileCommands.Validate(),
            FileCommands.Plan(),
            NodeCommands.Check(),
            NodeCommands.Mount(),
            NodeCommands.Cleanup(),
            CniCommand.Create(),
            CompletionCommand.Create(),
            Version(),
            DocsCommand.Create(),
        };
        foreach (var option in root.Options.OfType<HelpOption>())
            option.Action = new HelpWithExamples((HelpAction)option.Action!);
        return root;
    }

    /// <summary>The exit code.</summary>
    public static async Task<int> RunAsync(string[] args, TextWriter? output = null, TextWriter? error = null)
    {
        var parse = Build().Parse(args);

        // The agent handles its own signals; no verb has a default handler's stack trace to show.
        var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = output ?? Console.Out, Error = error ?? Console.Error };
        if (parse.Action is not ParseErrorAction)
            return await parse.InvokeAsync(configuration).ConfigureAwait(false);

        // With a verb that there is not, that a verb is missing is no news.
        foreach (var problem in parse.Errors.Where(e => parse.UnmatchedTokens.Count == 0 || parse.UnmatchedTokens.Any(t => e.Message.Contains($"'{t}'", StringComparison.Ordinal))))
            await configuration.Error.WriteLineAsync($"nodemesh: {problem.Message}").ConfigureAwait(false);
        await configuration.Error.WriteLineAsync($"Try: {Path(parse.CommandResult.Command)} --help").ConfigureAwait(false);
        return (int)ExitCode.Usage;
    }

    private static string Path(Command command) => command is RootCommand ? "nodemesh" : $"{Path(command.Parents.OfType<Command>().Single())} {command.Name}";

    private static Verb Version()
    {
        var verb = new Verb("version", "Print the version", new Example("nodemesh version", "Which NodeMesh is this?"));
        verb.Does(parse =>
        {
            parse.InvocationConfiguration.Output.WriteLine(ApiMapping.Version);
            return ExitCode.Ok;
        });
        return verb;
    }
}

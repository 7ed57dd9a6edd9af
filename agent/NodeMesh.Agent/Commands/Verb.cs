using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace NodeMesh.Agent.Commands;

/// <param name="Line">What is typed.</param>
/// <param name="What">What it is for, a few words.</param>
internal readonly record struct Example(string Line, string What);

/// <summary>A command with examples in its help.</summary>
internal sealed class Verb(string name, string help, params Example[] examples) : Command(name, help)
{
    public IReadOnlyList<Example> Examples { get; } = examples;

    /// <summary>Runs <paramref name="action"/>; its failure is one line on stderr and its exit code.</summary>
    public void Does(Func<ParseResult, CancellationToken, Task<ExitCode>> action) => SetAction(async (parse, stop) =>
    {
        try
        {
            return (int)await action(parse, stop).ConfigureAwait(false);
        }
        catch (CommandFailure e)
        {
            await parse.InvocationConfiguration.Error.WriteLineAsync($"nodemesh {Name}: {e.Message}").ConfigureAwait(false);
            return (int)e.Code;
        }
    });

    public void Does(Func<ParseResult, ExitCode> action) => Does((parse, _) => Task.FromResult(action(parse)));
}

/// <summary>The library's help with the verb's examples below it.</summary>
internal sealed class HelpWithExamples(HelpAction inner) : SynchronousCommandLineAction
{
    public override int Invoke(ParseResult parseResult)
    {
        var code = inner.Invoke(parseResult);
        if (parseResult.CommandResult.Command is not Verb { Examples.Count: > 0 } verb)
            return code;
        var output = parseResult.InvocationConfiguration.Output;
        output.WriteLine("Examples:");
        foreach (var example in verb.Examples)
        {
            output.WriteLine($"  # {example.What}");
            output.WriteLine($"  {example.Line}");
        }

        output.WriteLine();
        return code;
    }
}

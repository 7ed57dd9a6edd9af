namespace NodeMesh.Agent.Options;

/// <summary>Reads one option's text; false and a reason when it cannot be.</summary>
internal delegate bool OptionParser<T>(string text, out T value, out string why);

/// <summary>One option of the agent: on the command line, in the environment and in docs/options.md.</summary>
/// <param name="Argument">What stands for the value in help: "DIR".</param>
/// <param name="Default">As written; empty when there is none, <see cref="DefaultWords"/> says what happens then.</param>
/// <param name="Help">One sentence without a period.</param>
internal abstract record OptionSpec(string Name, string Argument, string Default, string Help, bool Repeatable)
{
    public string DefaultWords { get; init; } = "";

    public bool IsFlag => Argument.Length == 0;

    /// <summary>NODEMESH_CONFIG_DIR for --config-dir.</summary>
    public string Environment => "NODEMESH_" + Name[2..].ToUpperInvariant().Replace('-', '_');

    /// <summary>What is wrong with the text, or null.</summary>
    public abstract string? Check(string text);
}

internal sealed record OptionSpec<T>(string Name, string Argument, string Default, OptionParser<T> Parser, string Help, bool Repeatable = false)
    : OptionSpec(Name, Argument, Default, Help, Repeatable)
{
    public override string? Check(string text) => Parser(text, out _, out var why) ? null : why;

    public T Parse(string text) => Parser(text, out var value, out var why) ? value : throw new CommandFailure(ExitCode.BadOptions, $"{Name} {text}: {why}");
}

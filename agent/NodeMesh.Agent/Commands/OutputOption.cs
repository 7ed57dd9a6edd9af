using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json.Serialization.Metadata;
using NodeMesh.Agent.Output;

namespace NodeMesh.Agent.Commands;

internal enum OutputFormat
{
    Table,
    Json,
}

/// <summary>-o on the verbs that show something.</summary>
internal static class OutputOption
{
    public static Option<OutputFormat> Create()
    {
        var option = new Option<OutputFormat>("--output", "-o")
        {
            Description = "table (the default) for people, json for programs",
            HelpName = "table|json",
            CustomParser = Read,
        };
        option.CompletionSources.Clear();
        option.CompletionSources.Add("table", "json");
        return option;
    }

    /// <summary>Shows an answer as it was asked for.</summary>
    public static Task WriteAsync<T>(ParseResult parse, Option<OutputFormat> option, T reply, JsonTypeInfo<T> json, Func<T, string> table) =>
        parse.InvocationConfiguration.Output.WriteAsync(parse.GetValue(option) == OutputFormat.Json ? JsonText.Of(reply, json) + "\n" : table(reply));

    private static OutputFormat Read(ArgumentResult result)
    {
        var word = result.Tokens[^1].Value;
        if (word.Equals("json", StringComparison.OrdinalIgnoreCase))
            return OutputFormat.Json;
        if (!word.Equals("table", StringComparison.OrdinalIgnoreCase))
            result.AddError($"--output {word}: table or json expected");
        return OutputFormat.Table;
    }
}

using System.CommandLine;
using System.CommandLine.Parsing;

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

using System.CommandLine;

namespace NodeMesh.Agent.Commands;

internal enum OutputFormat
{
    Table,
    Json,
}

/// <summary>-o on the verbs that show something.</summary>
internal static class OutputOption
{
    public static Option<OutputFormat> Create() => new("--output", "-o") { Description = "table (the default) for people, json for programs", HelpName = "table|json" };
}

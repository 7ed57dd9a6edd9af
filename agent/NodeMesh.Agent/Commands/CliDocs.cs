using System.CommandLine;
using System.Globalization;
using System.Text;

namespace NodeMesh.Agent.Commands;

/// <summary>docs/cli.md.</summary>
internal static class CliDocs
{
    public static string Page(RootCommand root)
    {
        var page = new StringBuilder();
        page.Append("# Command line\n\nWritten by `nodemesh docs` from the commands themselves; do not edit.\n\n");
        page.Append("Every verb has `--help` with examples. Verbs that show something take `-o table` (the default) or `-o json`. Errors are one line on stderr, with the cure.\n");
        foreach (var verb in root.Subcommands.OfType<Verb>().Where(v => !v.Hidden))
            Append(page, verb, $"nodemesh {verb.Name}");
        page.Append("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
        foreach (var (code, meaning) in ExitCodes.All)
            page.Append(CultureInfo.InvariantCulture, $"| {(int)code} | {meaning} |\n");
        return page.ToString();
    }

    private static void Append(StringBuilder page, Verb verb, string path)
    {
        var arguments = string.Concat(verb.Arguments.Select(a => a.Arity.MaximumNumberOfValues > 1 ? $" {a.Name}…" : $" {a.Name}"));
        page.Append($"\n## {path}{arguments}\n\n{verb.Description}.\n");
        if (verb.Name == "agent")
        {
            page.Append("\nIts options are in [options.md](options.md).\n");
        }
        else
        {
            var items = verb.Arguments.Select(a => (a.Name, a.Description)).Concat(verb.Options.Select(o => (Name: Form(o), o.Description))).ToArray();
            page.Append(items.Length > 0 ? "\n" : "");
            foreach (var (name, description) in items)
                page.Append($"- `{name}`: {description}\n");
        }

        page.Append("\n```sh\n");
        foreach (var example in verb.Examples)
            page.Append($"{example.Line}    # {example.What}\n");
        page.Append("```\n");
        foreach (var inner in verb.Subcommands.OfType<Verb>())
            Append(page, inner, $"{path} {inner.Name}");
    }

    private static string Form(Option option)
    {
        var names = string.Join(", ", option.Aliases.Append(option.Name));
        return option.HelpName is { Length: > 0 } value ? $"{names} {value}" : names;
    }
}

using System.CommandLine;
using NodeMesh.Agent.Options;
using NodeMesh.Flows.Metrics;

namespace NodeMesh.Agent.Commands;

/// <summary>Writes the pages that the binary knows best; for who builds NodeMesh.</summary>
internal static class DocsCommand
{
    public static IReadOnlyDictionary<string, string> Pages() => new Dictionary<string, string>
    {
        ["metrics.md"] = MetricDocs.Page(),
        ["options.md"] = OptionDocs.Page(),
        ["cli.md"] = CliDocs.Page(CommandTree.Build()),
        ["../deploy/configmap.yaml"] = OptionDocs.ConfigMap(),
    };

    public static Verb Create()
    {
        var verb = new Verb("docs", "Write docs/metrics.md, docs/options.md, docs/cli.md and deploy/configmap.yaml",
            new Example("nodemesh docs docs", "Write them"),
            new Example("nodemesh docs --check docs", "Fail when one is stale"))
        { Hidden = true };
        var directory = new Argument<string>("DIR") { Description = "Where the pages are" };
        var check = new Option<bool>("--check") { Description = "Write nothing" };
        verb.Arguments.Add(directory);
        verb.Options.Add(check);
        verb.Does(parse =>
        {
            foreach (var (name, text) in Pages())
            {
                var path = Path.Combine(parse.GetValue(directory)!, name);
                if (!parse.GetValue(check))
                    File.WriteAllText(path, text);
                else if (!File.Exists(path) || File.ReadAllText(path) != text)
                    throw new CommandFailure(ExitCode.Failed, $"{path} is stale. Cure: nodemesh docs {parse.GetValue(directory)}");
            }

            return ExitCode.Ok;
        });
        return verb;
    }
}

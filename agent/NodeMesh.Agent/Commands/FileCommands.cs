using System.CommandLine;
using NodeMesh.Agent.Api;
using NodeMesh.Agent.Hosting;
using NodeMesh.Agent.Options;
using NodeMesh.Agent.Output;
using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Sources;

namespace NodeMesh.Agent.Commands;

/// <summary>The verbs that read files and need neither agent nor root.</summary>
internal static class FileCommands
{
    private static readonly string[] s_extensions = [".yaml", ".yml", ".json"];

    public static Verb Validate()
    {
        var verb = new Verb("validate", "Say what is wrong in files of objects, as the agent would; no agent, no root",
            new Example("nodemesh validate policy.yaml", "One file"),
            new Example("nodemesh validate /etc/nodemesh", "A directory, with references between its files"),
            new Example("nodemesh validate -o json *.yaml", "For a script; the exit code is 3 when there is an error"));
        var files = Files(verb);
        var output = OutputOption.Create();
        verb.Options.Add(output);
        verb.Does(parse =>
        {
            // What only shows when objects meet (two services on one port, say) is found by the compiler, on any node.
            var (snapshot, _) = ManifestReader.Read(ReadFiles(parse.GetValue(files)!));
            var diagnostics = MeshCompiler.Compile(snapshot, new NodeFacts("", [], [])).Diagnostics;
            var to = parse.InvocationConfiguration.Output;
            if (parse.GetValue(output) == OutputFormat.Json)
            {
                to.WriteLine(JsonText.Of(ApiMapping.Diagnostics(diagnostics), JsonText.Default.DiagnosticsReply));
            }
            else
            {
                foreach (var d in diagnostics)
                    to.WriteLine(d);
                to.WriteLine(Tables.Counts(diagnostics.Count(d => d.Severity == Severity.Error), diagnostics.Count(d => d.Severity == Severity.Warning)));
            }

            return diagnostics.Any(d => d.Severity == Severity.Error) ? ExitCode.InvalidInput : ExitCode.Ok;
        });
        return verb;
    }

    public static Verb Plan()
    {
        var verb = new Verb("plan", "Print what would be in the kernel and in the proxy for these files; no agent, no root",
            new Example("nodemesh plan --node-name node-a /etc/nodemesh", "The plan of one node"),
            new Example("diff <(nodemesh plan old/) <(nodemesh plan new/)", "What a change would do"));
        var files = Files(verb);
        var node = OptionBinding.To(verb, NodeOptions.Specs);
        verb.Does(parse =>
        {
            var (snapshot, diagnostics) = ManifestReader.Read(ReadFiles(parse.GetValue(files)!));
            var options = NodeOptions.Read(node.Read(parse));
            var facts = options.Facts(options.Addresses);
            parse.InvocationConfiguration.Output.Write(PlanText.Of(MeshCompiler.Compile(snapshot, facts)));
            return diagnostics.Any(d => d.Severity == Severity.Error) ? ExitCode.InvalidInput : ExitCode.Ok;
        });
        return verb;
    }

    internal static Argument<string[]> Files(Verb verb, ArgumentArity? arity = null)
    {
        var files = new Argument<string[]>("FILE") { Description = "YAML or JSON files, or directories of them; - for standard input", Arity = arity ?? ArgumentArity.OneOrMore };
        verb.Arguments.Add(files);
        return files;
    }

    /// <exception cref="CommandFailure">InvalidInput.</exception>
    internal static List<(string Path, string Text)> ReadFiles(string[] names)
    {
        NodeChecks.RequireOpenSsl();
        try
        {
            return [.. names.SelectMany(Expand).Distinct(StringComparer.Ordinal).Select(p => (p, p == "-" ? Console.In.ReadToEnd() : File.ReadAllText(p)))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailure(ExitCode.InvalidInput, e.Message, e);
        }
    }

    /// <exception cref="FileNotFoundException">Neither a directory nor a file.</exception>
    private static IEnumerable<string> Expand(string name) => Directory.Exists(name)
        ? Directory.EnumerateFiles(name, "*", SearchOption.AllDirectories).Where(f => s_extensions.Contains(Path.GetExtension(f), StringComparer.Ordinal)).Order(StringComparer.Ordinal)
        : name == "-" || File.Exists(name) ? [name] : throw new FileNotFoundException($"{name}: there is no such file or directory");
}

using System.CommandLine;
using NodeMesh.Agent.Options;

namespace NodeMesh.Agent.Commands;

/// <summary>The agent's options as command-line options: kept as texts, so that the environment and the defaults have their turn.</summary>
internal sealed class OptionBinding
{
    private readonly Dictionary<OptionSpec, Option<string[]>> _texts = [];
    private readonly Dictionary<OptionSpec, Option<bool>> _flags = [];

    public static OptionBinding To(Command command, IEnumerable<OptionSpec> specs)
    {
        var binding = new OptionBinding();
        foreach (var spec in specs)
            command.Options.Add(binding.Add(spec));
        return binding;
    }

    public OptionValues Read(ParseResult parse) => new(spec => Given(parse, spec), Environment.GetEnvironmentVariable);

    private Option Add(OptionSpec spec)
    {
        var standard = spec.DefaultWords.Length > 0 ? spec.DefaultWords : spec.Default;
        var help = standard.Length > 0 ? $"{spec.Help} [default: {standard}]" : spec.Help;
        if (spec.IsFlag)
        {
            var flag = new Option<bool>(spec.Name) { Description = spec.Help };
            _flags.Add(spec, flag);
            return flag;
        }

        var option = new Option<string[]>(spec.Name) { Description = help, HelpName = spec.Argument, Arity = ArgumentArity.OneOrMore };
        _texts.Add(spec, option);
        return option;
    }

    private string[]? Given(ParseResult parse, OptionSpec spec) =>
        _texts.TryGetValue(spec, out var option) ? parse.GetValue(option)
        : _flags.TryGetValue(spec, out var flag) && parse.GetValue(flag) ? ["true"]
        : null;
}

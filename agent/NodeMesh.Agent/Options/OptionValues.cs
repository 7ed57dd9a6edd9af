namespace NodeMesh.Agent.Options;

/// <summary>Texts of options by where they were given: the command line wins over the environment, which wins over the default.</summary>
internal sealed class OptionValues(Func<OptionSpec, IReadOnlyList<string>?> commandLine, Func<string, string?> environment)
{
    public IReadOnlyList<string> Texts(OptionSpec spec)
    {
        if (commandLine(spec) is { Count: > 0 } given)
            return given;
        if (environment(spec.Environment) is { Length: > 0 } text)
            return spec.Repeatable ? text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [text];
        return spec.Default.Length > 0 ? [spec.Default] : [];
    }

    /// <exception cref="CommandFailure">BadOptions.</exception>
    public T One<T>(OptionSpec<T> spec) =>
        Texts(spec) is { Count: > 0 } texts ? spec.Parse(texts[^1]) : throw new CommandFailure(ExitCode.BadOptions, $"{spec.Name} must be given, or {spec.Environment} be set");

    /// <exception cref="CommandFailure">BadOptions.</exception>
    public T OneOr<T>(OptionSpec<T> spec, T otherwise) => Texts(spec) is { Count: > 0 } texts ? spec.Parse(texts[^1]) : otherwise;

    /// <exception cref="CommandFailure">BadOptions.</exception>
    public T[] Many<T>(OptionSpec<T> spec) => [.. Texts(spec).Select(spec.Parse)];
}

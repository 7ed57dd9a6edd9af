using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>One thing found while reading an object.</summary>
/// <param name="Fatal">The object as written is not used at all.</param>
/// <param name="Consequence">For findings that are not fatal; what a fatal one leads to depends on whether there is a last good version.</param>
internal sealed record Finding(string Code, Severity Severity, bool Fatal, string Path, int Line, string Message, string Consequence);

/// <summary>What is found while one object is read.</summary>
internal sealed class Report(bool strict)
{
    private readonly List<Finding> _findings = [];

    public IReadOnlyList<Finding> Findings => _findings;

    public bool Failed { get; private set; }

    /// <summary>The object cannot be used as written.</summary>
    public void Error(string code, string path, Position at, string message)
    {
        Failed = true;
        _findings.Add(new Finding(code, Severity.Error, true, path, at.Line, message, ""));
    }

    /// <summary>A part of the object cannot be used as written; the rest is.</summary>
    public void Partly(string code, string path, Position at, string message, string consequence) =>
        _findings.Add(new Finding(code, Severity.Error, false, path, at.Line, message, consequence));

    public void Warning(string code, string path, Position at, string message, string consequence) =>
        _findings.Add(new Finding(code, Severity.Warning, false, path, at.Line, message, consequence));

    public void UnknownField(string name, string path, Position at, IEnumerable<string> known)
    {
        var hint = Spelling.Closest(name, known) is { } close ? $"did you mean '{close}'? " : "";
        var message = $"unknown field '{name}'; {hint}known here: {string.Join(", ", known.Order(StringComparer.Ordinal))}";
        if (strict)
            Error("unknown-field", path, at, message);
        else
            Warning("unknown-field", path, at, message, "the field is ignored");
    }
}

namespace NodeMesh.Model;

public enum Severity
{
    Warning,
    Error,
}

/// <summary>Something a user wrote that cannot be done as written. Data, not an exception: nothing else is affected.</summary>
/// <param name="Code">Stable, kebab-case: "unknown-field", "port-clash".</param>
/// <param name="FieldPath">"spec.ingress[0].ports[1].port", or empty for the whole object.</param>
/// <param name="Message">What is wrong and how to mend it, one sentence or two, no trailing period needed.</param>
/// <param name="Consequence">What is in force instead: "the last good version stays in force", "the object is left out".</param>
public sealed record Diagnostic(
    string Code, Severity Severity, ObjectRef Object, string FieldPath, string Message, string Consequence = "", SourceLocation? Location = null)
{
    public override string ToString()
    {
        var where = Location is { File.Length: > 0 } l ? $"{l}: " : "";
        var field = FieldPath.Length == 0 ? "" : $" {FieldPath}:";
        var then = Consequence.Length == 0 ? "" : $" ({Consequence})";
        var subject = Object.ToString() is { Length: > 0 } name ? $" {name}:" : "";
        return $"{where}{Severity.ToString().ToLowerInvariant()}:{subject}{field} {Message}{then} [{Code}]";
    }
}

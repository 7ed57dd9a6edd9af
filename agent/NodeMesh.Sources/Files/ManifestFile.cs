using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Files;

/// <summary>A file's text to what the world takes. Pure.</summary>
internal static class ManifestFile
{
    public static OriginChange Read(string path, string text)
    {
        try
        {
            return new OriginChange(path, ObjectIdentifier.Run(path, YamlReader.Read(text)), null);
        }
        catch (YamlRefusedException e)
        {
            return Broken(path, "bad-yaml", $"not usable YAML at column {e.At.Column}: {e.Message}", new SourceLocation(path, e.Document, e.At.Line));
        }
    }

    public static OriginChange Broken(string path, string code, string message, SourceLocation? at = null) =>
        new(path, null, new Diagnostic(code, Severity.Error, new ObjectRef("File", default), "", message, "", at ?? new SourceLocation(path, 1, 1)));
}

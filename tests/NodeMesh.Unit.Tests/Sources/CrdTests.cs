using System.Text;
using NodeMesh.Sources;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Files;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>The schema that the API server holds policies against and the translator know the same fields.</summary>
internal sealed class CrdTests
{
    private const string Marker = "notAField";

    private static ApiMap Schema(string file)
    {
        using var stream = typeof(CrdTests).Assembly.GetManifestResourceStream($"crds/{file}")!;
        using var reader = new StreamReader(stream);
        var crd = (ApiMap)YamlReader.Read(reader.ReadToEnd())[0]!;
        var version = (ApiMap)((ApiList)((ApiMap)crd["spec"]!)["versions"]!).Items[0];
        var root = (ApiMap)((ApiMap)version["schema"]!)["openAPIV3Schema"]!;
        return (ApiMap)((ApiMap)root["properties"]!)["spec"]!;
    }

    [TestCase("meshpolicies.yaml", "MeshPolicy")]
    [TestCase("clustermeshpolicies.yaml", "ClusterMeshPolicy")]
    public void The_schema_and_the_translator_know_the_same_fields(string file, string kind)
    {
        var schema = Schema(file);
        var expected = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var json = new StringBuilder();
        Instance(schema, "spec", json, expected);
        var text = $"{{\"apiVersion\": \"nodemesh.io/v1alpha1\", \"kind\": \"{kind}\", \"metadata\": {{\"name\": \"p\"}}, \"spec\": {json}}}";

        var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var d in ManifestReader.Read([("n.yaml", Manifests.Namespaces.Replace("shop", "default")), ("a.yaml", text)]).Diagnostics)
            if (d.Code == "unknown-field" && d.FieldPath.EndsWith(Marker, StringComparison.Ordinal))
                found[d.FieldPath[..^(Marker.Length + 1)]] = d.Message[(d.Message.IndexOf("known here: ", StringComparison.Ordinal) + 12)..];
        Assert.That(found, Is.EqualTo(expected));
    }

    [TestCase("meshpolicies.yaml")]
    [TestCase("clustermeshpolicies.yaml")]
    public void The_schema_is_structural(string file)
    {
        Check(Schema(file), "spec");

        static void Check(ApiMap schema, string path)
        {
            var isPortLike = schema["x-kubernetes-int-or-string"] is not null;
            Assert.That(schema["type"] is ApiScalar || isPortLike, path);
            if (schema["properties"] is ApiMap properties)
                foreach (var f in properties.Fields)
                    Check((ApiMap)f.Value, $"{path}.{f.Name}");
            if (schema["items"] is not ApiMap items)
                return;

            // What rules of validation cost is judged by how long the lists may be; without a bound the API server refuses the definition.
            Assert.That(schema["maxItems"], Is.Not.Null, path);
            Check(items, path + "[]");
        }
    }

    /// <summary>Writes an object that has every field of the schema, and in each map one that no schema has.</summary>
    private static void Instance(ApiMap schema, string path, StringBuilder json, SortedDictionary<string, string> expected)
    {
        if (schema["properties"] is ApiMap properties)
        {
            expected[path] = string.Join(", ", properties.Fields.Select(f => f.Name).Order(StringComparer.Ordinal));
            json.Append($"{{\"{Marker}\": 1");
            foreach (var f in properties.Fields)
            {
                json.Append($", \"{f.Name}\": ");
                Instance((ApiMap)f.Value, $"{path}.{f.Name}", json, expected);
            }
            json.Append('}');
        }
        else if (schema["items"] is ApiMap items)
        {
            json.Append('[');
            Instance(items, path + "[0]", json, expected);
            json.Append(']');
        }
        else
        {
            var type = (schema["type"] as ApiScalar)?.Text;
            json.Append(schema["enum"] is ApiList choices ? $"\"{((ApiScalar)choices.Items[0]).Text}\"" : type is "integer" ? "80" : type is "object" ? "{}" : type is null ? "80" : "\"x\"");
        }
    }
}

using NodeMesh.Sources.Dom;
using static NodeMesh.Unit.Tests.Deploy.Manifest;

namespace NodeMesh.Unit.Tests.Deploy;

/// <summary>
/// The definitions in deploy/ keep what the API server demands of a structural schema and of a definition (extend the API with CustomResourceDefinitions); it would
/// refuse them otherwise, or drop what they say.
/// </summary>
public sealed class CrdStructureTests
{
    private static readonly string[] s_known =
    [
        "type", "description", "properties", "items", "required", "additionalProperties", "enum", "default", "format", "pattern", "nullable", "minimum", "maximum", "minLength",
        "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "x-kubernetes-validations", "x-kubernetes-int-or-string", "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-preserve-unknown-fields",
    ];

    private static readonly string[] s_types = ["object", "array", "string", "integer", "number", "boolean"];

    private static string[] Files() => [.. Directory.GetFiles(Path.Combine(Folder, "crds")).Select(f => Path.Combine("crds", Path.GetFileName(f))).Order(StringComparer.Ordinal)];

    [TestCaseSource(nameof(Files))]
    public void The_whole_schema_is_structural(string file)
    {
        foreach (var version in Items(Definition(file), "spec", "versions"))
        {
            var root = (ApiMap)At(version, "schema", "openAPIV3Schema")!;
            Check(root, "");
            Assert.That(Text(root, "type"), Is.EqualTo("object"));
            foreach (var name in new[] { "apiVersion", "kind" })
                Assert.That(Text(root, "properties", name, "type"), Is.EqualTo("string"));
            Assert.That(((ApiMap)At(root, "properties", "metadata")!).Fields.Select(f => f.Name), Is.EqualTo(new[] { "type" }), "of metadata a schema says no more");
        }
    }

    [TestCaseSource(nameof(Files))]
    public void The_definition_is_as_the_API_demands(string file)
    {
        var crd = Definition(file);
        var names = At(crd, "spec", "names");
        Assert.That(Text(crd, "metadata", "name"), Is.EqualTo($"{Text(names, "plural")}.{Text(crd, "spec", "group")}"));
        Assert.That(Text(names, "listKind"), Is.EqualTo(Text(names, "kind") + "List"));
        foreach (var name in Texts(names, "shortNames").Append(Text(names, "plural")).Append(Text(names, "singular")))
            Assert.That(name, Does.Match("^[a-z][a-z0-9]*$"));
        Assert.That(Text(crd, "spec", "scope"), Is.AnyOf("Namespaced", "Cluster"));
        var versions = Items(crd, "spec", "versions");
        Assert.That(versions.Count(v => Text(v, "storage") == "true"), Is.EqualTo(1));
        foreach (var column in versions.SelectMany(v => Items(v, "additionalPrinterColumns")))
        {
            Assert.That(Text(column, "type"), Is.AnyOf("integer", "number", "string", "boolean", "date"));
            Assert.That(Text(column, "jsonPath"), Does.StartWith("."));
        }
    }

    private static ApiNode Definition(string file) => Find(file, "CustomResourceDefinition");

    private static void Check(ApiMap schema, string path)
    {
        foreach (var field in schema.Fields)
            Assert.That(s_known, Does.Contain(field.Name), path);
        var isIntOrString = Text(schema, "x-kubernetes-int-or-string") == "true";
        Assert.That(isIntOrString ? "" : Text(schema, "type"), isIntOrString ? Is.Empty : Is.AnyOf([.. s_types]), path);
        var properties = (At(schema, "properties") as ApiMap)?.Fields ?? [];
        Assert.That(properties.Count > 0 && At(schema, "additionalProperties") is not null, Is.False, $"{path}: properties and additionalProperties exclude each other");
        if (properties.Count > 0 || At(schema, "additionalProperties") is not null || At(schema, "required") is not null)
            Assert.That(Text(schema, "type"), Is.EqualTo("object"), path);
        Assert.That(At(schema, "items") is null, Is.EqualTo(Text(schema, "type") != "array"), $"{path}: items");
        foreach (var name in Texts(schema, "required"))
            Assert.That(properties.Select(p => p.Name), Does.Contain(name), path);
        if (Items(schema, "enum") is { Count: > 0 } && At(schema, "default") is ApiScalar standard)
            Assert.That(Texts(schema, "enum"), Does.Contain(standard.Text), path);
        foreach (var rule in Items(schema, "x-kubernetes-validations"))
        {
            Assert.That(Text(rule, "rule"), Does.Match(@"\bself\b"), path);
            Assert.That(Text(rule, "rule"), Does.Not.Match(@"\.(namespace|package|import|in|as|for|if|else|const|var|function|return|let|loop|void|while|break|continue)\b"), $"{path}: reserved words are escaped");
            Assert.That(Text(rule, "message"), Is.Not.Empty.And.Not.Contains("\n"), path);
            Assert.That(Text(rule, "rule").Count(c => c == '('), Is.EqualTo(Text(rule, "rule").Count(c => c == ')')), path);
        }

        // What entries of a list are known by, each of them has.
        foreach (var key in Texts(schema, "x-kubernetes-list-map-keys"))
        {
            Assert.That(Text(schema, "x-kubernetes-list-type"), Is.EqualTo("map"), path);
            Assert.That(Texts(schema, "items", "required").Contains(key) || At(schema, "items", "properties", key, "default") is not null, $"{path}: {key}");
        }

        foreach (var property in properties)
            Check((ApiMap)property.Value, $"{path}.{property.Name}");
        if (At(schema, "items") is ApiMap items)
            Check(items, path + "[]");
        if (At(schema, "additionalProperties") is ApiMap values)
            Check(values, path + ".*");
    }
}

using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cel;
using Cel.Internal;

namespace NodeMesh.Testing.ApiServer;

/// <summary>One rule of x-kubernetes-validations, compiled.</summary>
internal sealed partial class CelRule
{
    private static readonly CelEnvironment s_environment = new([], "");
    private static readonly ConcurrentDictionary<string, CelRule> s_compiled = new(StringComparer.Ordinal);

    private readonly CelProgramDelegate _program;

    private CelRule(string text)
    {
        Syntax = s_environment.Parse(text);

        // The library's has() takes an empty value for an absent one, as protocol buffers do; of a map, which objects are to CEL, it is by key.
        _program = s_environment.Compile(Has().Replace(text, "('$2' in $1)"));
        IsTransition = text.Contains("oldSelf", StringComparison.Ordinal);
    }

    public CelParser.StartContext Syntax { get; }

    /// <summary>It compares with what was before, so at first there is nothing to say.</summary>
    public bool IsTransition { get; }

    /// <exception cref="CelException">No CEL.</exception>
    public static CelRule Compile(string text) => s_compiled.GetOrAdd(text, t => new CelRule(t));

    /// <returns>Null when it holds; else what was wrong: "false", or how it failed, which is as bad.</returns>
    public string? Refusal(JsonNode? self, JsonNode? old)
    {
        var variables = new Dictionary<string, object?> { ["self"] = Value(self) };
        if (old is not null)
            variables["oldSelf"] = Value(old);
        try
        {
            return _program(variables) is true ? null : "false";
        }
        catch (CelException e)
        {
            return e.Message;
        }
    }

    private static object? Value(JsonNode? node) => node switch
    {
        JsonObject map => map.ToDictionary(f => f.Key, f => Value(f.Value)),
        JsonArray list => list.Select(Value).ToList(),
        JsonValue scalar => scalar.GetValueKind() switch
        {
            JsonValueKind.String => (string)scalar!,
            JsonValueKind.Number => scalar.TryGetValue<long>(out var whole) ? whole : (object)(double)scalar,
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => null,
        },
        _ => null,
    };

    [GeneratedRegex(@"\bhas\(([\w.]+)\.(\w+)\)")]
    private static partial Regex Has();
}

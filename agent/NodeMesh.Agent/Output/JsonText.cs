using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using NodeMesh.Agent.Api;

namespace NodeMesh.Agent.Output;

internal sealed record CheckedFeature(string Name, bool Ok, bool Required, string Detail, string Lost, string Cure);

internal sealed record CheckResult(bool Able, string AttachMode, IReadOnlyList<CheckedFeature> Features);

/// <summary>-o json: the API's messages under their own names.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StatusReply))]
[JsonSerializable(typeof(EndpointsReply))]
[JsonSerializable(typeof(ServicesReply))]
[JsonSerializable(typeof(PoliciesReply))]
[JsonSerializable(typeof(ExplainPolicyReply))]
[JsonSerializable(typeof(DiffPoliciesReply))]
[JsonSerializable(typeof(DiagnosticsReply))]
[JsonSerializable(typeof(ConnectionsReply))]
[JsonSerializable(typeof(CheckResult))]
internal sealed partial class JsonText : JsonSerializerContext
{
    public static string Of<T>(T value, JsonTypeInfo<T> type) => JsonSerializer.Serialize(value, type);
}

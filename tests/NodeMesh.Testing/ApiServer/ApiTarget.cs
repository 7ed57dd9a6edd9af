using Microsoft.AspNetCore.Http;

namespace NodeMesh.Testing.ApiServer;

/// <summary>What a request is about: "/apis/GROUP/VERSION/[namespaces/NS/]PLURAL[/NAME[/SUBRESOURCE]]".</summary>
/// <param name="Resource">"pods", "networking.k8s.io/networkpolicies".</param>
/// <param name="Field">The name that a field selector asks for.</param>
internal sealed record ApiTarget(string Verb, string Resource, string Version, string Namespace, string Name, string Subresource, string Field)
{
    public bool IsStatus => Subresource == "status";

    /// <summary>As a role has it: "pods/status".</summary>
    public string Ruled => Subresource.Length > 0 ? $"{Resource}/{Subresource}" : Resource;

    public string Group => Resource.Contains('/', StringComparison.Ordinal) ? Resource[..Resource.IndexOf('/', StringComparison.Ordinal)] : "";

    public string Plural => Resource[(Resource.IndexOf('/', StringComparison.Ordinal) + 1)..];

    public string ApiVersion => Group.Length > 0 ? $"{Group}/{Version}" : Version;

    /// <exception cref="StoreException">No such path.</exception>
    public static ApiTarget Parse(HttpRequest request)
    {
        var parts = request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var at = parts is ["api", ..] ? 2 : parts is ["apis", ..] ? 3 : throw new StoreException(404, "NotFound", "no such path");
        if (parts.Length <= at)
            throw new StoreException(404, "NotFound", "no such path");
        var group = at == 3 ? parts[1] + "/" : "";
        var version = parts[at - 1];
        var ns = "";
        if (parts[at] == "namespaces" && parts.Length > at + 2 && parts[at + 2] is not ("status" or "finalize"))
        {
            ns = parts[at + 1];
            at += 2;
        }

        var name = parts.Length > at + 1 ? parts[at + 1] : "";
        var field = (string?)request.Query["fieldSelector"] is { } selector && selector.StartsWith("metadata.name=", StringComparison.Ordinal) ? selector[14..] : "";
        var verb = request.Method switch
        {
            "GET" when request.Query["watch"] == "true" => "watch",
            "GET" => name.Length > 0 ? "get" : "list",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            _ => "delete",
        };
        return new ApiTarget(verb, group + parts[at], version, ns, name, parts.Length > at + 2 ? parts[at + 2] : "", field);
    }
}

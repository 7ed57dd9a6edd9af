using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace NodeMesh.Testing.ApiServer;

/// <summary>Who asks, by bearer token, and whether roles let them: RBAC over the objects in the store, and tokens of service accounts.</summary>
internal sealed class Access(ObjectStore store)
{
    private const string Rbac = "rbac.authorization.k8s.io";

    private readonly ConcurrentDictionary<string, (string Namespace, string Name, string Secret)> _tokens = new(StringComparer.Ordinal);

    /// <summary>Of somebody who may everything.</summary>
    public string Admin { get; } = Guid.NewGuid().ToString("N");

    /// <exception cref="StoreException">401: a token that is none (any more); 403: no role allows it.</exception>
    public void Check(string authorization, ApiTarget target)
    {
        if (authorization == $"Bearer {Admin}")
            return;
        var user = "system:anonymous";
        (string Namespace, string Name, string Secret) account = default;
        if (authorization.Length > 0)
        {
            if (!authorization.StartsWith("Bearer ", StringComparison.Ordinal) || !_tokens.TryGetValue(authorization[7..], out account) || !IsThere("serviceaccounts", account.Namespace, account.Name)
                || (account.Secret.Length > 0 && !IsThere("secrets", account.Namespace, account.Secret)))
                throw new StoreException(401, "Unauthorized", "Unauthorized");
            user = $"system:serviceaccount:{account.Namespace}:{account.Name}";
        }

        if (account.Name is null || !RulesFor(account.Namespace!, account.Name, target.Namespace).Any(rule => Allows(rule, target)))
            throw new StoreException(403, "Forbidden", $"{target.Plural}.{target.Group} is forbidden: User \"{user}\" cannot {target.Verb} resource \"{target.Plural}\" in API group \"{target.Group}\"");
    }

    /// <summary>POST of a TokenRequest: a token that holds for as long as the account, and the Secret that it is bound to, exist.</summary>
    public JsonObject Issue(string ns, string account, JsonObject request)
    {
        var token = Guid.NewGuid().ToString("N");
        _tokens[token] = (ns, account, (string?)request["spec"]?["boundObjectRef"]?["name"] ?? "");
        var answer = (JsonObject)request.DeepClone();
        answer["status"] = new JsonObject
        {
            ["token"] = token,
            ["expirationTimestamp"] = DateTime.UtcNow.AddSeconds((int?)request["spec"]?["expirationSeconds"] ?? 3600).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture),
        };
        return answer;
    }

    private bool IsThere(string resource, string ns, string name) => store.List(resource, ns, name).Objects.Count > 0;

    private IEnumerable<JsonObject> RulesFor(string accountNamespace, string account, string ns)
    {
        foreach (var binding in store.List($"{Rbac}/clusterrolebindings", "", "").Objects.Concat(ns.Length > 0 ? store.List($"{Rbac}/rolebindings", ns, "").Objects : []))
        {
            if (!(binding["subjects"] as JsonArray ?? []).Any(s => (string?)s!["kind"] == "ServiceAccount" && (string?)s["name"] == account && (string?)s["namespace"] == accountNamespace))
                continue;
            var isCluster = (string?)binding["roleRef"]!["kind"] == "ClusterRole";
            var role = store.List($"{Rbac}/{(isCluster ? "clusterroles" : "roles")}", isCluster ? "" : ns, (string)binding["roleRef"]!["name"]!).Objects.SingleOrDefault();
            foreach (var rule in (role?["rules"] as JsonArray ?? []).OfType<JsonObject>())
                yield return rule;
        }
    }

    private static bool Allows(JsonObject rule, ApiTarget target) =>
        Has(rule, "verbs", target.Verb) && Has(rule, "apiGroups", target.Group) && Has(rule, "resources", target.Subresource.Length > 0 ? $"{target.Plural}/{target.Subresource}" : target.Plural)
        && (rule["resourceNames"] is null || (target.Name.Length > 0 && Has(rule, "resourceNames", target.Name)));

    private static bool Has(JsonObject rule, string field, string value) => (rule[field] as JsonArray ?? []).Any(v => (string?)v is "*" || (string?)v == value);
}

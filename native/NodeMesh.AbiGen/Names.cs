namespace NodeMesh.AbiGen;

/// <summary>C names to C# names.</summary>
internal static class Names
{
    /// <summary>nm_frontend_key to FrontendKey.</summary>
    public static string Type(string cName) => Pascal(cName["nm_".Length..]);

    /// <summary>proxy_port_be to ProxyPortBe, SEEN_REPLY to SeenReply.</summary>
    public static string Pascal(string words) =>
        string.Concat(words.Split('_', StringSplitOptions.RemoveEmptyEntries).Select(w => char.ToUpperInvariant(w[0]) + w[1..].ToLowerInvariant()));

    /// <summary>NM_POLICY_DENIED without its prefix, as a metric label: policy_denied.</summary>
    public static string Label(string cName, string prefix) => cName[prefix.Length..].ToLowerInvariant();

    /// <summary>What all members start with, up to an underscore; a lone member's is its enum's name without the last word.</summary>
    public static string MemberPrefix(string enumName, IReadOnlyList<string> members)
    {
        if (members.Count == 1)
        {
            var stem = enumName[..(enumName.LastIndexOf('_') + 1)].ToUpperInvariant();
            return members[0].StartsWith(stem + "F_", StringComparison.Ordinal) ? stem + "F_" : stem;
        }

        var prefix = members[0];
        foreach (var member in members)
        {
            while (!member.StartsWith(prefix, StringComparison.Ordinal) || !prefix.EndsWith('_'))
                prefix = prefix[..^1];
        }

        return prefix;
    }
}

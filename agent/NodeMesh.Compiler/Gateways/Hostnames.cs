namespace NodeMesh.Compiler.Gateways;

/// <summary>Host patterns: "*" for all, "*.example.com", or one name.</summary>
internal static class Hostnames
{
    public const string Any = "*";

    /// <summary>What both patterns match: the narrower one, or null when they have nothing in common.</summary>
    public static string? Intersect(string a, string b) => Covers(a, b) ? b : Covers(b, a) ? a : null;

    /// <summary>True when whatever <paramref name="narrow"/> matches, <paramref name="wide"/> matches too.</summary>
    public static bool Covers(string wide, string narrow) =>
        wide == Any || wide == narrow || (IsWildcard(wide) && narrow != Any && narrow.EndsWith(wide[1..], StringComparison.Ordinal) && narrow.Length > wide.Length - 1);

    /// <summary>Names first, then wildcards, longest first, then "*".</summary>
    public static readonly Comparer<string> MostSpecificFirst = Comparer<string>.Create((a, b) =>
    {
        var c = Rank(a).CompareTo(Rank(b));
        if (c == 0)
            c = b.Length.CompareTo(a.Length);
        return c != 0 ? c : string.CompareOrdinal(a, b);
    });

    private static bool IsWildcard(string host) => host.StartsWith("*.", StringComparison.Ordinal);

    private static int Rank(string host) => host == Any ? 2 : IsWildcard(host) ? 1 : 0;
}

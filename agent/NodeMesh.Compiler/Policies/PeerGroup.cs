using System.Collections.Immutable;
using System.Globalization;

namespace NodeMesh.Compiler.Policies;

/// <summary>Identities about which all rules of the node say the same.</summary>
/// <param name="Hash">Of the matches.</param>
/// <param name="Matches">By the terms' hashes.</param>
internal sealed record PeerGroup(ContentHash Hash, ImmutableArray<PeerMatch> Matches)
{
    public static PeerGroup Of(IEnumerable<PeerMatch> matches)
    {
        ImmutableArray<PeerMatch> sorted = [.. matches.OrderBy(m => m.Term.Hash)];
        var text = string.Concat(sorted.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Term.Hash.Hi:x16}{m.Term.Hash.Lo:x16}{m.PortsText};")));
        return new PeerGroup(ContentHash.Of($"group {text}"), sorted);
    }

    public bool Equals(PeerGroup? other) => other is not null && other.Hash == Hash;

    public override int GetHashCode() => Hash.GetHashCode();

    /// <summary>Null when the term does not name these peers.</summary>
    public PeerMatch? Find(PeerTerm term)
    {
        var (low, high) = (0, Matches.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = Matches[middle].Term.Hash.CompareTo(term.Hash);
            if (order == 0)
                return Matches[middle];
            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return null;
    }
}

using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Identities;

/// <summary>What policies say that makes addresses differ: the blocks they name, and the ports' names of egress rules.</summary>
internal sealed record PolicyTerms(ImmutableArray<Policy> Policies, CidrIndex Cidrs, Tally<string> PortNames)
{
    public static readonly PolicyTerms Empty = new([], CidrIndex.Empty, Tally<string>.Empty);

    /// <param name="blocks">Gets the blocks that came or went.</param>
    /// <param name="names">Gets the names of ports that did.</param>
    public static PolicyTerms Run(ImmutableArray<Policy> policies, PolicyTerms old, HashSet<IpPrefix> blocks, HashSet<string> names)
    {
        var changes = SortedLists.Difference(old.Policies, policies, p => p.Name).ToList();
        var (more, less) = (changes.Select(c => c.New).OfType<Policy>().ToList(), changes.Select(c => c.Old).OfType<Policy>().ToList());
        var tally = old.Cidrs.Blocks.With(more.SelectMany(Blocks), less.SelectMany(Blocks), blocks);
        return new PolicyTerms(
            policies,
            ReferenceEquals(tally, old.Cidrs.Blocks) ? old.Cidrs : new CidrIndex(tally),
            old.PortNames.With(more.SelectMany(Names), less.SelectMany(Names), names));
    }

    private static IEnumerable<IpPrefix> Blocks(Policy policy)
    {
        foreach (var peer in policy.Ingress.Concat(policy.Egress).SelectMany(r => r.Peers).OfType<CidrPeer>())
        {
            yield return peer.Cidr;
            foreach (var except in peer.Except)
                yield return except;
        }
    }

    private static IEnumerable<string> Names(Policy policy) => policy.Egress.SelectMany(r => r.Ports).Select(p => p.Named).OfType<string>();
}

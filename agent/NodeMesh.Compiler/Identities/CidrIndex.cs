using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Identities;

/// <summary>Every CIDR block that a policy names, excepted ones included; finds those around a block by one probe per length.</summary>
internal sealed class CidrIndex
{
    private readonly HashSet<IpPrefix> _blocks = [];
    private readonly int[] _lengths;

    public CidrIndex(ImmutableArray<Policy> policies)
    {
        foreach (var policy in policies)
        {
            foreach (var peer in policy.Ingress.Concat(policy.Egress).SelectMany(r => r.Peers).OfType<CidrPeer>())
            {
                _blocks.Add(peer.Cidr);
                _blocks.UnionWith(peer.Except);
            }
        }

        _lengths = [.. _blocks.Select(b => b.Bits).Distinct().Order()];
    }

    public IEnumerable<IpPrefix> Blocks => _blocks;

    /// <summary>The blocks that cover <paramref name="prefix"/>, itself included, widest first.</summary>
    public ImmutableArray<IpPrefix> Around(IpPrefix prefix)
    {
        if (_blocks.Count == 0)
            return [];
        var found = ImmutableArray.CreateBuilder<IpPrefix>();
        foreach (var bits in _lengths)
        {
            if (bits > prefix.Bits)
                break;
            var block = IpPrefix.Create(prefix.Address, bits);
            if (block.IsIPv4() == prefix.IsIPv4() && _blocks.Contains(block))
                found.Add(block);
        }

        return found.ToImmutable();
    }
}

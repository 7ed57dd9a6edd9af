using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Identities;

/// <summary>A set of CIDR blocks; finds those around a block by one probe per length.</summary>
internal sealed class CidrIndex
{
    public static readonly CidrIndex Empty = new(Tally<IpPrefix>.Empty);

    private readonly int[] _lengths;

    public CidrIndex(Tally<IpPrefix> blocks)
    {
        Blocks = blocks;
        _lengths = [.. blocks.Items.Select(b => b.Bits).Distinct().Order()];
    }

    /// <summary>Each with how often it is named.</summary>
    public Tally<IpPrefix> Blocks { get; }

    public bool Contains(IpPrefix block) => Blocks.Contains(block);

    /// <summary>Whether some block is around <paramref name="prefix"/>, or is it.</summary>
    public bool Covers(IpPrefix prefix)
    {
        foreach (var bits in _lengths)
        {
            if (bits > prefix.Bits)
                return false;
            if (Has(bits, prefix, out _))
                return true;
        }

        return false;
    }

    /// <summary>The blocks that cover <paramref name="prefix"/>, itself included, widest first.</summary>
    public ImmutableArray<IpPrefix> Around(IpPrefix prefix)
    {
        var found = ImmutableArray<IpPrefix>.Empty;
        foreach (var bits in _lengths)
        {
            if (bits > prefix.Bits)
                break;
            if (Has(bits, prefix, out var block))
                found = found.Add(block);
        }

        return found;
    }

    private bool Has(int bits, IpPrefix prefix, out IpPrefix block)
    {
        block = IpPrefix.Create(prefix.Address, bits);
        return block.IsIPv4() == prefix.IsIPv4() && Blocks.Contains(block);
    }
}

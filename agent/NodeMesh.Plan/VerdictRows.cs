using NodeMesh.Plan.Abi;

namespace NodeMesh.Plan;

/// <summary>Makes nm_verdict keys: whatever lies past the prefix is zero, so that equal prefixes are equal keys.</summary>
public static class VerdictRows
{
    /// <param name="bits">72 (any), 80 (protocol) to 96 (whole port).</param>
    public static VerdictKey Key(uint set, uint klass, Direction direction, uint bits, byte proto, ushort port)
    {
        var portBits = bits <= (uint)VerdictBits.Proto ? 0 : (int)(bits - (uint)VerdictBits.Proto);
        return new VerdictKey
        {
            PrefixBits = bits,
            Set = set,
            Klass = klass,
            Direction = (byte)direction,
            Proto = bits >= (uint)VerdictBits.Proto ? proto : (byte)0,
            PortBe = Be16.FromHost((ushort)(port & (0xffff << (16 - portBits)))),
        };
    }
}

using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>A block of (protocol, port) as an nm_verdict key has it; 72 bits are everything.</summary>
internal readonly record struct PortPrefix(uint Bits, byte Protocol, ushort Port) : IComparable<PortPrefix>
{
    public static readonly PortPrefix Everything = new((uint)VerdictBits.Any, 0, 0);

    /// <summary>The block around this one that is one bit wider.</summary>
    public PortPrefix Parent => Bits <= (uint)VerdictBits.Proto
        ? Everything
        : new PortPrefix(Bits - 1, Protocol, (ushort)(Port & (0xffff << (int)((uint)VerdictBits.Full - Bits + 1))));

    public VerdictKey Key(uint set, uint klass, Direction direction) => VerdictRows.Key(set, klass, direction, Bits, Protocol, Port);

    public int CompareTo(PortPrefix other) => (Bits, Protocol, Port).CompareTo((other.Bits, other.Protocol, other.Port));
}

/// <summary>Ranges of ports as the fewest prefixes.</summary>
internal static class PortPrefixes
{
    private static readonly Protocol[] WithPorts = [Protocol.Tcp, Protocol.Udp, Protocol.Sctp];

    /// <param name="port">By number; a name must have been resolved.</param>
    public static IEnumerable<PortPrefix> Of(PortMatch port)
    {
        if (port.Protocol != Protocol.Any)
            return Of((byte)port.Protocol, port.First, port.Last);
        return port.IsAnyPort ? [PortPrefix.Everything] : WithPorts.SelectMany(p => Of((byte)p, port.First, port.Last));
    }

    private static IEnumerable<PortPrefix> Of(byte protocol, int first, int last)
    {
        while (first <= last)
        {
            var wildBits = 0;
            while (wildBits < 16 && (first & ((2 << wildBits) - 1)) == 0 && first + (2 << wildBits) - 1 <= last)
                wildBits++;
            yield return new PortPrefix((uint)VerdictBits.Full - (uint)wildBits, protocol, (ushort)first);
            first += 1 << wildBits;
        }
    }
}

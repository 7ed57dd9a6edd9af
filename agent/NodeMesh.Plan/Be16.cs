using System.Buffers.Binary;

namespace NodeMesh.Plan;

/// <summary>Sixteen bits in network order, as the kernel's tables and packets hold ports.</summary>
public readonly record struct Be16
{
    private readonly ushort _raw;

    private Be16(ushort raw) => _raw = raw;

    public static Be16 FromHost(ushort value) => new(BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value);

    public ushort ToHost() => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(_raw) : _raw;

    public override string ToString() => ToHost().ToString(System.Globalization.CultureInfo.InvariantCulture);
}

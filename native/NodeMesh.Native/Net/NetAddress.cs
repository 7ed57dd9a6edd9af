using System.Buffers.Binary;

namespace NodeMesh.Native.Net;

/// <summary>A socket address: 128 bits, IPv4 mapped (::ffff:a.b.c.d), and a port.</summary>
/// <param name="Hi">First eight bytes, most significant first.</param>
/// <param name="Lo">Last eight bytes.</param>
/// <param name="ScopeId">sin6_scope_id; 0 outside link-local addresses.</param>
public readonly record struct NetAddress(ulong Hi, ulong Lo, ushort Port, uint ScopeId = 0)
{
    /// <summary>Bytes of the longer form, sockaddr_in6.</summary>
    internal const int MaxLength = 28;

    internal const ushort FamilyInet = 2;
    internal const ushort FamilyInet6 = 10;

    public bool IsIPv4 => Hi == 0 && Lo >> 32 == 0xffff;

    /// <summary>Writes sockaddr_in or sockaddr_in6.</summary>
    /// <returns>Its length.</returns>
    internal int Write(Span<byte> sockaddr)
    {
        BinaryPrimitives.WriteUInt16BigEndian(sockaddr[2..], Port);
        if (IsIPv4)
        {
            BitConverter.TryWriteBytes(sockaddr, FamilyInet);
            BinaryPrimitives.WriteUInt32BigEndian(sockaddr[4..], (uint)Lo);
            sockaddr.Slice(8, 8).Clear();
            return 16;
        }

        BitConverter.TryWriteBytes(sockaddr, FamilyInet6);
        sockaddr.Slice(4, 4).Clear();
        BinaryPrimitives.WriteUInt64BigEndian(sockaddr[8..], Hi);
        BinaryPrimitives.WriteUInt64BigEndian(sockaddr[16..], Lo);
        BitConverter.TryWriteBytes(sockaddr[24..], ScopeId);
        return MaxLength;
    }

    /// <summary>default for a family that is neither.</summary>
    internal static NetAddress Read(ReadOnlySpan<byte> sockaddr)
    {
        var port = BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]);
        return BitConverter.ToUInt16(sockaddr) switch
        {
            FamilyInet => new NetAddress(0, 0xffff_0000_0000UL | BinaryPrimitives.ReadUInt32BigEndian(sockaddr[4..]), port),
            FamilyInet6 => new NetAddress(
                BinaryPrimitives.ReadUInt64BigEndian(sockaddr[8..]),
                BinaryPrimitives.ReadUInt64BigEndian(sockaddr[16..]),
                port,
                BitConverter.ToUInt32(sockaddr[24..])),
            _ => default,
        };
    }
}

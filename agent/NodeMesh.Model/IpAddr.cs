using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace NodeMesh.Model;

/// <summary>An IP address as 128 bits, IPv4 mapped as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). <c>default</c> is <c>::</c>.</summary>
/// <param name="Hi">The first eight bytes, most significant first.</param>
/// <param name="Lo">The last eight bytes.</param>
public readonly record struct IpAddr(ulong Hi, ulong Lo) : IComparable<IpAddr>
{
    private const ulong MappedPrefix = 0xffff_0000_0000;

    public bool IsIPv4 => Hi == 0 && Lo >> 32 == 0xffff;

    /// <summary>True for <c>::</c> and <c>0.0.0.0</c>.</summary>
    public bool IsUnspecified => Hi == 0 && (Lo == 0 || Lo == MappedPrefix);

    public static IpAddr FromIPv4(uint hostOrder) => new(0, MappedPrefix | hostOrder);

    public static IpAddr From(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var n);
        return n == 4 ? FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(bytes)) : FromBytes(bytes);
    }

    /// <summary>Sixteen bytes in network order.</summary>
    public static IpAddr FromBytes(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));

    public void WriteBytes(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, Hi);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], Lo);
    }

    /// <summary>Accepts what Kubernetes accepts: dotted IPv4 without leading zeros, or IPv6 text without zone.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out IpAddr address)
    {
        address = default;
        if (text is null || text.Contains('%') || !IPAddress.TryParse(text, out var ip))
            return false;
        if (ip.AddressFamily == AddressFamily.InterNetwork && ip.ToString() != text)
            return false;
        if (ip.AddressFamily == AddressFamily.InterNetworkV6 && text.Contains('['))
            return false;
        address = From(ip);
        return true;
    }

    public static IpAddr Parse(string text) =>
        TryParse(text, out var a) ? a : throw new FormatException($"'{text}' is not an IP address");

    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        WriteBytes(bytes);
        return IsIPv4 ? new IPAddress(bytes[12..]) : new IPAddress(bytes);
    }

    public int CompareTo(IpAddr other) => Hi != other.Hi ? Hi.CompareTo(other.Hi) : Lo.CompareTo(other.Lo);

    /// <summary>"10.0.0.1:80", "[fd00::1]:80".</summary>
    public string WithPort(ushort port) => IsIPv4 ? $"{this}:{port}" : $"[{this}]:{port}";

    public override string ToString() => ToIPAddress().ToString();
}

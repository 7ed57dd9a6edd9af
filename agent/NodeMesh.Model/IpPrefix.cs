using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace NodeMesh.Model;

/// <summary>A CIDR block in the 128-bit space of <see cref="IpAddr"/>; host bits are zero.</summary>
/// <param name="Address">First address of the block.</param>
/// <param name="Bits">0 to 128; an IPv4 block counts from 96.</param>
public readonly record struct IpPrefix(IpAddr Address, int Bits) : IComparable<IpPrefix>
{
    public static IpPrefix Host(IpAddr address) => new(address, 128);

    /// <summary>0.0.0.0/0.</summary>
    public static readonly IpPrefix AnyIPv4 = new(IpAddr.FromIPv4(0), 96);

    /// <summary>::/0, which in the mapped space also covers IPv4.</summary>
    public static readonly IpPrefix Any = new(default, 0);

    public bool Contains(IpAddr address) => Mask(address, Bits) == Address;

    /// <summary>True when every address of <paramref name="other"/> is in this block.</summary>
    public bool Contains(IpPrefix other) => other.Bits >= Bits && Contains(other.Address);

    public static IpPrefix Create(IpAddr address, int bits) => new(Mask(address, bits), bits);

    /// <summary>"a.b.c.d/n" or "x::/n". Host bits are cleared, as the API server's consumers do.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out IpPrefix prefix)
    {
        prefix = default;
        var slash = text?.IndexOf('/') ?? -1;
        if (slash < 0 || !IpAddr.TryParse(text![..slash], out var address))
            return false;
        var max = address.IsIPv4 ? 32 : 128;
        if (!int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var bits) || bits > max)
            return false;
        prefix = Create(address, address.IsIPv4 ? bits + 96 : bits);
        return true;
    }

    public static IpPrefix Parse(string text) =>
        TryParse(text, out var p) ? p : throw new FormatException($"'{text}' is not a CIDR block");

    public int CompareTo(IpPrefix other) =>
        Address != other.Address ? Address.CompareTo(other.Address) : Bits.CompareTo(other.Bits);

    public override string ToString() => Address.IsIPv4 && Bits >= 96 ? $"{Address}/{Bits - 96}" : $"{Address}/{Bits}";

    private static IpAddr Mask(IpAddr a, int bits) => bits switch
    {
        <= 0 => default,
        < 64 => new IpAddr(a.Hi & (ulong.MaxValue << (64 - bits)), 0),
        64 => new IpAddr(a.Hi, 0),
        < 128 => new IpAddr(a.Hi, a.Lo & (ulong.MaxValue << (128 - bits))),
        _ => a,
    };
}

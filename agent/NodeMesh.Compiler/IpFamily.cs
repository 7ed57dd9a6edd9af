using NodeMesh.Model;

namespace NodeMesh.Compiler;

internal static class IpFamily
{
    /// <summary>True for a block of IPv4 addresses; "::/0" is not one, though in the mapped space it lies around them.</summary>
    public static bool IsIPv4(this IpPrefix prefix) => prefix.Bits >= 96 && prefix.Address.IsIPv4;

    /// <summary>Containment as people mean it: a block holds blocks of its own family only.</summary>
    public static bool Covers(this IpPrefix outer, IpPrefix inner) => outer.IsIPv4() == inner.IsIPv4() && outer.Contains(inner);
}

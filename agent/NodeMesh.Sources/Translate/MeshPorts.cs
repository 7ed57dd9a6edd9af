using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>An entry of a MeshPolicy's ports: as NetworkPolicy's, and ICMP by type and code, and any protocol by number.</summary>
internal static class MeshPorts
{
    public static PortMatch? Read(Value item)
    {
        using var entry = item.Map();
        if (entry is null)
            return null;
        entry.Ignore("port", "endPort", "icmpType", "icmpCode"); // known, whatever the protocol is
        if (ReadProtocol(entry.Get("protocol")) is not { } protocol)
            return null;
        return protocol switch
        {
            Protocol.Tcp or Protocol.Udp or Protocol.Sctp => WithPorts(entry, protocol),
            Protocol.Icmp or Protocol.Icmpv6 => Icmp(entry, protocol),
            _ => Bare(entry, protocol),
        };
    }

    /// <summary>TCP when absent. Number 0 is no protocol: in IPv6 it is an extension header, which is never what a packet carries.</summary>
    private static Protocol? ReadProtocol(Value? value)
    {
        if (value is not { } given)
            return Protocol.Tcp;
        if (given.Node is ApiScalar { Kind: ScalarKind.Number })
            return given.Integer(1, 255) is { } number ? (Protocol)number : null;
        return given.OneOf("TCP", "UDP", "SCTP", "ICMP", "ICMPv6") switch
        {
            "TCP" => Protocol.Tcp,
            "UDP" => Protocol.Udp,
            "SCTP" => Protocol.Sctp,
            "ICMP" => Protocol.Icmp,
            "ICMPv6" => Protocol.Icmpv6,
            _ => null,
        };
    }

    private static PortMatch? WithPorts(Fields entry, Protocol protocol)
    {
        foreach (var field in (ReadOnlySpan<string>)["icmpType", "icmpCode"])
            entry.Get(field)?.Error("bad-value", $"only ICMP and ICMPv6 have an {field}; set protocol to one of them or remove {field}");
        return PolicyParts.Port(entry, protocol);
    }

    private static PortMatch? Icmp(Fields entry, Protocol protocol)
    {
        NoPorts(entry, "ICMP has no ports; give icmpType instead, or remove it to mean every type");
        var code = entry.Get("icmpCode");
        if (entry.Get("icmpType") is not { } value)
        {
            code?.Error("missing-field", "icmpCode needs an icmpType beside it; add it");
            return PortMatch.All(protocol);
        }

        if (Type(value, protocol) is not { } type)
            return null;
        return code is { } c ? c.Integer(0, 255) is { } number ? PortMatch.Icmp(protocol, type, (byte)number) : null : PortMatch.Icmp(protocol, type, null);
    }

    private static byte? Type(Value value, Protocol protocol)
    {
        if (value.Node is ApiScalar { Kind: ScalarKind.Number })
            return (byte?)value.Integer(0, 255);
        if (value.Text() is not { } name)
            return null;
        var names = IcmpTypes.Of(protocol);
        if (names.TryGetValue(name, out var type))
            return type;
        var close = Spelling.Closest(name, names.Keys) is { } c ? $"did you mean {c}? " : "";
        value.Error("bad-value", $"'{name}' is not a type of {(protocol == Protocol.Icmp ? "ICMP" : "ICMPv6")}; {close}give a number, or one of {string.Join(", ", names.Keys.Order(StringComparer.Ordinal))}");
        return null;
    }

    private static PortMatch Bare(Fields entry, Protocol protocol)
    {
        NoPorts(entry, $"protocol {(byte)protocol} has no ports; remove it");
        foreach (var field in (ReadOnlySpan<string>)["icmpType", "icmpCode"])
            entry.Get(field)?.Error("bad-value", $"only ICMP and ICMPv6 have an {field}; remove it");
        return PortMatch.All(protocol);
    }

    private static void NoPorts(Fields entry, string message)
    {
        foreach (var field in (ReadOnlySpan<string>)["port", "endPort"])
            entry.Get(field)?.Error("bad-value", message);
    }
}

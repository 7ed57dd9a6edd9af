using System.Collections.Frozen;
using NodeMesh.Model;

namespace NodeMesh.Sources.Translate;

/// <summary>Names of ICMP types as IANA has them (icmp-parameters, icmpv6-parameters), words joined; "Echo" is also EchoRequest in both families.</summary>
internal static class IcmpTypes
{
    private static readonly FrozenDictionary<string, byte> s_v4 = new Dictionary<string, byte>
    {
        ["EchoReply"] = 0,
        ["DestinationUnreachable"] = 3,
        ["Redirect"] = 5,
        ["Echo"] = 8,
        ["EchoRequest"] = 8,
        ["RouterAdvertisement"] = 9,
        ["RouterSolicitation"] = 10,
        ["TimeExceeded"] = 11,
        ["ParameterProblem"] = 12,
        ["Timestamp"] = 13,
        ["TimestampReply"] = 14,
        ["Photuris"] = 40,
        ["ExtendedEchoRequest"] = 42,
        ["ExtendedEchoReply"] = 43,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, byte> s_v6 = new Dictionary<string, byte>
    {
        ["DestinationUnreachable"] = 1,
        ["PacketTooBig"] = 2,
        ["TimeExceeded"] = 3,
        ["ParameterProblem"] = 4,
        ["EchoRequest"] = 128,
        ["EchoReply"] = 129,
        ["MulticastListenerQuery"] = 130,
        ["MulticastListenerReport"] = 131,
        ["MulticastListenerDone"] = 132,
        ["RouterSolicitation"] = 133,
        ["RouterAdvertisement"] = 134,
        ["NeighborSolicitation"] = 135,
        ["NeighborAdvertisement"] = 136,
        ["RedirectMessage"] = 137,
        ["RouterRenumbering"] = 138,
        ["NodeInformationQuery"] = 139,
        ["NodeInformationResponse"] = 140,
        ["InverseNeighborDiscoverySolicitation"] = 141,
        ["InverseNeighborDiscoveryAdvertisement"] = 142,
        ["Version2MulticastListenerReport"] = 143,
        ["HomeAgentAddressDiscoveryRequest"] = 144,
        ["HomeAgentAddressDiscoveryReply"] = 145,
        ["MobilePrefixSolicitation"] = 146,
        ["MobilePrefixAdvertisement"] = 147,
        ["CertificationPathSolicitation"] = 148,
        ["CertificationPathAdvertisement"] = 149,
        ["MulticastRouterAdvertisement"] = 151,
        ["MulticastRouterSolicitation"] = 152,
        ["MulticastRouterTermination"] = 153,
        ["FMIPv6"] = 154,
        ["RPLControl"] = 155,
        ["ExtendedEchoRequest"] = 160,
        ["ExtendedEchoReply"] = 161,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static FrozenDictionary<string, byte> Of(Protocol protocol) => protocol == Protocol.Icmp ? s_v4 : s_v6;
}

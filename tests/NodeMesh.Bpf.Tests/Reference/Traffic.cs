namespace NodeMesh.Bpf.Tests.Reference;

/// <summary>A packet that opens a connection, or stands alone.</summary>
/// <param name="From">An address of a pod, or of somebody else.</param>
/// <param name="Port">That is connected to; of ICMP the type in the high byte and the code in the low one; else 0.</param>
internal readonly record struct Traffic(string From, string To, byte Protocol, ushort Port)
{
    public override string ToString() => Protocol switch
    {
        Packet.ProtoTcp => $"{From} > {To} port {Port}/TCP",
        Packet.ProtoUdp => $"{From} > {To} port {Port}/UDP",
        Packet.ProtoSctp => $"{From} > {To} port {Port}/SCTP",
        Packet.ProtoIcmp or Packet.ProtoIcmp6 => $"{From} > {To} ICMP{(Protocol == Packet.ProtoIcmp ? "" : "v6")} type {Port >> 8} code {Port & 255}",
        _ => $"{From} > {To} protocol {Protocol}",
    };
}

/// <summary>What becomes of a connection at one end.</summary>
internal enum Ruling
{
    Allow,

    /// <summary>A rule refuses it.</summary>
    Deny,

    /// <summary>Its direction is isolated, and no rule allows it.</summary>
    DefaultDeny,

    /// <summary>The proxy decides by request.</summary>
    Proxy,
}

/// <param name="Audit">What policies under audit would have made of it; <see cref="Ruling.Allow"/> when they would not have refused it either.</param>
internal readonly record struct Judgement(Ruling Ruling, Ruling Audit = Ruling.Allow)
{
    public override string ToString() => Audit == Ruling.Allow ? $"{Ruling}" : $"{Ruling} (under audit {Audit})";
}

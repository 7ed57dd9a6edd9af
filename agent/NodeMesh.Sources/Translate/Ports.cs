using NodeMesh.Model;

namespace NodeMesh.Sources.Translate;

/// <summary>Ports, protocols, addresses and blocks, as they stand in several kinds.</summary>
internal static class Ports
{
    /// <summary>TCP when absent.</summary>
    public static Protocol ReadProtocol(Value? value) => value?.OneOf("TCP", "UDP", "SCTP") switch
    {
        "UDP" => Protocol.Udp,
        "SCTP" => Protocol.Sctp,
        _ => Protocol.Tcp,
    };

    public static ushort? Number(Value? value) => (ushort?)value?.Integer(1, 65535);

    /// <summary>0 when absent; the API takes 0 for "none" too.</summary>
    public static ushort NodePort(Value? value) => (ushort)(value?.Integer(0, 65535) ?? 0);

    public static string? Name(Value value)
    {
        if (value.Text() is not { } name)
            return null;
        if (Names.IsPortName(name))
            return name;
        value.Error("bad-name", $"'{name}' is not a port's name: {Names.PortForm}{(name.All(char.IsAsciiDigit) ? "; remove the quotes to mean the number" : "")}");
        return null;
    }

    public static IpAddr? Address(Value value)
    {
        if (value.Text() is not { } text)
            return null;
        if (IpAddr.TryParse(text, out var address))
            return address;
        value.Error("bad-address", $"'{text}' is not an IP address");
        return null;
    }

    public static IpPrefix? Block(Value value)
    {
        if (value.Text() is not { } text)
            return null;
        if (IpPrefix.TryParse(text, out var block))
            return block;
        value.Error("bad-cidr", $"'{text}' is not a CIDR block such as 10.0.0.0/8 or fd00::/8");
        return null;
    }
}

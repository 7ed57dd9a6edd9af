using System.Buffers.Binary;
using System.Net;

namespace NodeMesh.Bpf.Tests;

/// <summary>An Ethernet frame, built from the inside out. Checksums are left zero, since most programs look at none, unless it is <see cref="Sealed"/>.</summary>
internal sealed class Packet
{
    internal const byte Fin = 1, Syn = 2, Rst = 4, Ack = 16;
    internal const byte ProtoIcmp = 1, ProtoTcp = 6, ProtoUdp = 17, ProtoIcmp6 = 58, ProtoSctp = 132;

    private readonly IPAddress _from;
    private readonly IPAddress _to;
    private byte _proto;
    private byte[] _body = [];
    private byte[] _options = [];
    private ushort _fragment;
    private byte _hopLimit = 64;
    private int _vlans;
    private bool _sealed;
    private bool _dontFragment;

    private Packet(string from, string to)
    {
        _from = IPAddress.Parse(from);
        _to = IPAddress.Parse(to);
    }

    private bool V6 => _from.GetAddressBytes().Length == 16;

    internal static Packet Tcp(string from, ushort fromPort, string to, ushort toPort, byte flags = Syn)
    {
        var body = Ports(20, fromPort, toPort);
        body[12] = 5 << 4;
        body[13] = flags;
        return new Packet(from, to) { _proto = ProtoTcp, _body = body };
    }

    internal static Packet Udp(string from, ushort fromPort, string to, ushort toPort) =>
        new(from, to) { _proto = ProtoUdp, _body = Ports(40, fromPort, toPort) };

    internal static Packet Sctp(string from, ushort fromPort, string to, ushort toPort) =>
        new(from, to) { _proto = ProtoSctp, _body = Ports(28, fromPort, toPort) };

    internal static Packet Icmp(string from, string to, byte type, ushort id = 0, byte hopLimit = 64, byte code = 0)
    {
        var body = new byte[16];
        body[0] = type;
        body[1] = code;
        BinaryPrimitives.WriteUInt16BigEndian(body.AsSpan(4), id);
        var packet = new Packet(from, to) { _body = body, _hopLimit = hopLimit };
        packet._proto = packet.V6 ? ProtoIcmp6 : ProtoIcmp;
        return packet;
    }

    /// <summary>Destination unreachable (IPv4) or packet too big (IPv6) about <paramref name="about"/>.</summary>
    internal static Packet Error(string from, string to, Packet about)
    {
        var packet = Icmp(from, to, IPAddress.Parse(from).GetAddressBytes().Length == 16 ? (byte)2 : (byte)3);
        packet._body = [.. packet._body[..8], .. about.Network()];
        return packet;
    }

    internal static Packet Raw(string from, string to, byte proto) => new(from, to) { _proto = proto, _body = new byte[20] };

    internal static byte[] Ethernet(ushort type)
    {
        var frame = new byte[60];
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), type);
        return frame;
    }

    /// <summary>The sender says whose link address it has.</summary>
    internal static Packet Advertisement(string from, string to, string target)
    {
        var packet = Icmp(from, to, 136, hopLimit: 255);
        packet._body = [.. packet._body[..8], .. IPAddress.Parse(target).GetAddressBytes()];
        return packet;
    }

    /// <summary>ARP: a question or an answer of <paramref name="sender"/>.</summary>
    internal static byte[] Arp(string sender, string target, bool answer = false)
    {
        var frame = Ethernet(0x0806);
        ((byte[])[0, 1, 8, 0, 6, 4, 0, (byte)(answer ? 2 : 1)]).CopyTo(frame, 14);
        IPAddress.Parse(sender).GetAddressBytes().CopyTo(frame, 28);
        IPAddress.Parse(target).GetAddressBytes().CopyTo(frame, 38);
        return frame;
    }

    /// <summary>IPv4 options, or IPv6 destination options of as many bytes.</summary>
    internal Packet WithOptions(int bytes)
    {
        _options = new byte[bytes];
        return this;
    }

    /// <summary>With valid checksums and lengths.</summary>
    internal Packet Sealed()
    {
        _sealed = true;
        return this;
    }

    /// <summary>UDP in IPv4 may leave its checksum out: the rest is valid.</summary>
    internal Packet SealedWithout()
    {
        _sealed = true;
        _body[6] = 0xff;
        _body[7] = 0xff;
        return this;
    }

    internal Packet WithPayload(int bytes)
    {
        _body = [.. _body, .. Enumerable.Range(0, bytes).Select(i => (byte)i)];
        return this;
    }

    /// <summary>A segment's place in its stream.</summary>
    internal Packet At(uint sequence, uint acknowledged = 0)
    {
        BinaryPrimitives.WriteUInt32BigEndian(_body.AsSpan(4), sequence);
        BinaryPrimitives.WriteUInt32BigEndian(_body.AsSpan(8), acknowledged);
        return this;
    }

    internal Packet DontFragment()
    {
        _dontFragment = true;
        return this;
    }

    internal Packet WithHops(byte hops)
    {
        _hopLimit = hops;
        return this;
    }

    /// <param name="offset">In bytes, a multiple of 8.</param>
    internal Packet AsFragment(int offset, bool more)
    {
        _fragment = (ushort)(offset / 8 | (more ? 0x2000 : 0));
        return this;
    }

    internal Packet InVlans(int tags)
    {
        _vlans = tags;
        return this;
    }

    internal byte[] Bytes()
    {
        var frame = new List<byte>(new byte[12]);
        for (var i = 0; i < _vlans; i++)
            frame.AddRange((byte[])[0x81, 0x00, 0x00, (byte)(i + 5)]);
        frame.AddRange(V6 ? [0x86, 0xdd] : [0x08, 0x00]);
        frame.AddRange(Network());
        return [.. frame];
    }

    private static byte[] Ports(int size, ushort from, ushort to)
    {
        var body = new byte[size];
        BinaryPrimitives.WriteUInt16BigEndian(body, from);
        BinaryPrimitives.WriteUInt16BigEndian(body.AsSpan(2), to);
        return body;
    }

    private byte[] Network()
    {
        if (_sealed)
            SealBody();
        return V6 ? Network6() : Network4();
    }

    private void SealBody()
    {
        var at = _proto switch { ProtoTcp => 16, ProtoUdp => 6, ProtoIcmp or ProtoIcmp6 => 2, _ => -1 };
        if (at < 0)
            return;
        if (_proto == ProtoUdp)
            BinaryPrimitives.WriteUInt16BigEndian(_body.AsSpan(4), (ushort)_body.Length);
        var left = _proto == ProtoUdp && _body[6] == 0xff && _body[7] == 0xff;
        (_body[at], _body[at + 1]) = (0, 0);
        if (!left)
            BinaryPrimitives.WriteUInt16BigEndian(_body.AsSpan(at), Wire.Checksum(_body, _proto == ProtoIcmp ? 0 : Wire.Pseudo(_from, _to, _proto, _body.Length)));
    }

    private byte[] Network4()
    {
        var header = new byte[20 + _options.Length];
        header[0] = (byte)(0x40 | header.Length / 4);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(header.Length + _body.Length));
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), 4711);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(6), (ushort)(_fragment | (_dontFragment ? 0x4000 : 0)));
        header[8] = _hopLimit;
        header[9] = _proto;
        _from.GetAddressBytes().CopyTo(header, 12);
        _to.GetAddressBytes().CopyTo(header, 16);
        if (_sealed)
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(10), Wire.Checksum(header, 0));
        return [.. header, .. _body];
    }

    private byte[] Network6()
    {
        var extensions = new List<byte>();
        var first = _proto;
        if (_fragment != 0)
        {
            var offset = (ushort)((_fragment & 0x1fff) << 3 | (_fragment >> 13 & 1));
            extensions.InsertRange(0, [first, 0, (byte)(offset >> 8), (byte)offset, 0, 0, 0x12, 0x67]);
            first = 44;
        }

        if (_options.Length > 0)
        {
            extensions.InsertRange(0, [first, (byte)(_options.Length / 8 - 1), 1, (byte)(_options.Length - 4), .. _options[4..]]);
            first = 60;
        }

        var header = new byte[40];
        header[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)(extensions.Count + _body.Length));
        header[6] = first;
        header[7] = _hopLimit;
        _from.GetAddressBytes().CopyTo(header, 8);
        _to.GetAddressBytes().CopyTo(header, 24);
        return [.. header, .. extensions, .. _body];
    }
}

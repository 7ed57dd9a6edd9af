using System.Buffers.Binary;
using System.Net;

namespace NodeMesh.Bpf.Tests;

/// <summary>A frame as it came out of a program, read anew, with every checksum checked that is there.</summary>
internal sealed record Wire(string From, ushort FromPort, string To, ushort ToPort, byte Proto, int Hops, byte IcmpType, byte IcmpCode, uint IcmpRest, Wire? Inner)
{
    /// <summary>Of a whole TCP segment.</summary>
    internal (byte Flags, uint Sequence, uint Acknowledged, int Payload) Segment { get; private init; }

    internal string Text => $"{From}:{FromPort} > {To}:{ToPort}";

    /// <param name="frame">With an Ethernet header and VLAN tags, or without.</param>
    internal static Wire Read(ReadOnlySpan<byte> frame)
    {
        var at = 12;
        while (BinaryPrimitives.ReadUInt16BigEndian(frame[at..]) == 0x8100)
            at += 4;
        return ReadNetwork(frame[(at + 2)..], whole: true);
    }

    internal static ushort Checksum(ReadOnlySpan<byte> bytes, uint sum)
    {
        for (var i = 0; i < bytes.Length; i++)
            sum += (uint)(bytes[i] << (i % 2 == 0 ? 8 : 0));
        while (sum > 0xffff)
            sum = (sum & 0xffff) + (sum >> 16);
        var folded = (ushort)~sum;
        return folded;
    }

    internal static uint Pseudo(IPAddress from, IPAddress to, byte proto, int length)
    {
        uint sum = proto;
        byte[] all = [.. from.GetAddressBytes(), .. to.GetAddressBytes()];
        for (var i = 0; i < all.Length; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(all.AsSpan(i));
        return sum + (uint)length;
    }

    private static Wire ReadNetwork(ReadOnlySpan<byte> bytes, bool whole) => bytes[0] >> 4 == 6 ? Read6(bytes, whole) : Read4(bytes, whole);

    private static Wire Read4(ReadOnlySpan<byte> bytes, bool whole)
    {
        var header = (bytes[0] & 15) * 4;
        Assert.That(Checksum(bytes[..header], 0), Is.Zero, "IPv4 header checksum");
        var length = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        var fragment = (BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]) & 0x3fff) != 0;
        var body = whole ? bytes[header..length] : bytes[header..];
        return Body(new IPAddress(bytes[12..16]), new IPAddress(bytes[16..20]), bytes[9], bytes[8], body, whole && !fragment);
    }

    private static Wire Read6(ReadOnlySpan<byte> bytes, bool whole)
    {
        var proto = bytes[6];
        var at = 40;
        var fragment = false;
        while (proto is 60 or 44)
        {
            fragment |= proto == 44;
            (proto, at) = (bytes[at], at + (proto == 44 ? 8 : (bytes[at + 1] + 1) * 8));
        }

        var body = whole ? bytes[at..(40 + BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]))] : bytes[at..];
        return Body(new IPAddress(bytes[8..24]), new IPAddress(bytes[24..40]), proto, bytes[7], body, whole && !fragment);
    }

    private static Wire Body(IPAddress from, IPAddress to, byte proto, int hops, ReadOnlySpan<byte> body, bool check)
    {
        var left = proto == Packet.ProtoUdp && body.Length >= 8 && body[6] == 0 && body[7] == 0;
        if (check && !left)
            Assert.That(Checksum(body, proto == Packet.ProtoIcmp ? 0 : Pseudo(from, to, proto, body.Length)), Is.Zero, $"checksum of protocol {proto} from {from} to {to}");
        if (proto is Packet.ProtoIcmp or Packet.ProtoIcmp6)
        {
            var error = proto == Packet.ProtoIcmp ? body[0] is 3 or 11 : body[0] < 128;
            return new Wire(from.ToString(), 0, to.ToString(), 0, proto, hops, body[0], body[1], BinaryPrimitives.ReadUInt32BigEndian(body[4..]), error ? ReadNetwork(body[8..], whole: false) : null);
        }

        return new Wire(from.ToString(), BinaryPrimitives.ReadUInt16BigEndian(body), to.ToString(), BinaryPrimitives.ReadUInt16BigEndian(body[2..]), proto, hops, 0, 0, 0, null)
        {
            Segment = proto == Packet.ProtoTcp && check
                ? (body[13], BinaryPrimitives.ReadUInt32BigEndian(body[4..]), BinaryPrimitives.ReadUInt32BigEndian(body[8..]), body.Length - (body[12] >> 4) * 4)
                : default,
        };
    }
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace NodeMesh.Native.Netlink;

/// <summary>Builds one netlink message: header, family header, attributes. Numbers are in host order, as netlink has them.</summary>
internal sealed class NetlinkRequest
{
    internal const int HeaderSize = 16;
    internal const ushort Request = 1;
    internal const ushort Ack = 4;
    internal const ushort Replace = 0x100;
    internal const ushort Exclusive = 0x200;
    internal const ushort Create = 0x400;
    internal const ushort Dump = 0x300;

    private const ushort Nested = 0x8000;

    private byte[] _bytes = new byte[256];
    private int _size = HeaderSize;

    public NetlinkRequest(ushort type, ushort flags)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(4), type);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(6), (ushort)(flags | Request));
    }

    public NetlinkRequest Header<T>(in T header)
        where T : unmanaged
    {
        Append(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in header)));
        return this;
    }

    public NetlinkRequest Attribute(ushort type, ReadOnlySpan<byte> value)
    {
        Span<byte> header = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(header, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(header[2..], type);
        Append(header);
        Append(value);
        return this;
    }

    public NetlinkRequest Attribute(ushort type, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Attribute(type, bytes);
    }

    public NetlinkRequest Attribute(ushort type, string value) => Attribute(type, Encoding.UTF8.GetBytes(value + "\0"));

    /// <summary>An attribute of attributes, which <paramref name="inner"/> adds.</summary>
    public NetlinkRequest Nest(ushort type, Action<NetlinkRequest> inner)
    {
        var start = _size;
        Attribute((ushort)(type | Nested), []);
        inner(this);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(start), (ushort)(_size - start));
        return this;
    }

    public ReadOnlySpan<byte> Finish(uint sequence)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes, (uint)_size);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(8), sequence);
        return _bytes.AsSpan(0, _size);
    }

    private void Append(ReadOnlySpan<byte> value)
    {
        var end = _size + ((value.Length + 3) & ~3);
        if (end > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(end, _bytes.Length * 2));
        value.CopyTo(_bytes.AsSpan(_size));
        _size = end;
    }
}

/// <summary>Attributes of a received message.</summary>
internal readonly ref struct NetlinkAttributes(ReadOnlySpan<byte> bytes)
{
    private const ushort TypeMask = 0x3fff;

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public bool TryGet(ushort type, out ReadOnlySpan<byte> value)
    {
        var rest = _bytes;
        while (rest.Length >= 4)
        {
            var size = BinaryPrimitives.ReadUInt16LittleEndian(rest);
            if (size < 4 || size > rest.Length)
                break;
            if ((BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]) & TypeMask) == type)
            {
                value = rest[4..size];
                return true;
            }

            rest = rest[Math.Min((size + 3) & ~3, rest.Length)..];
        }

        value = default;
        return false;
    }

    public int Int(ushort type, int missing) => TryGet(type, out var v) && v.Length >= 4 ? BinaryPrimitives.ReadInt32LittleEndian(v) : missing;

    public byte Byte(ushort type, byte missing) => TryGet(type, out var v) && v.Length >= 1 ? v[0] : missing;

    public ReadOnlySpan<byte> Bytes(ushort type) => TryGet(type, out var v) ? v : default;

    public string Text(ushort type) => TryGet(type, out var v) ? Encoding.UTF8.GetString(v.TrimEnd((byte)0)) : "";

    public NetlinkAttributes Nested(ushort type) => TryGet(type, out var v) ? new NetlinkAttributes(v) : default;
}

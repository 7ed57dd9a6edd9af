using System.Buffers.Binary;
using System.Text;

namespace NodeMesh.Native.Bpf;

/// <summary>BTF_KIND_* of the kernel's uapi/linux/btf.h.</summary>
public enum BtfKind
{
    Void = 0,
    Int = 1,
    Pointer = 2,
    Array = 3,
    Struct = 4,
    Union = 5,
    Enum = 6,
    Forward = 7,
    Typedef = 8,
    Volatile = 9,
    Const = 10,
    Restrict = 11,
    Function = 12,
    FunctionPrototype = 13,
    Variable = 14,
    DataSection = 15,
    Float = 16,
    DeclarationTag = 17,
    TypeTag = 18,
    Enum64 = 19,
}

/// <param name="BitOffset">From the start of the struct.</param>
public readonly record struct BtfMember(string Name, int Type, int BitOffset);

public readonly record struct BtfEnumerator(string Name, long Value);

/// <param name="Size">Bytes, where the kind has a size.</param>
/// <param name="Target">Id of the type referred to: element of an array, meaning of a typedef.</param>
/// <param name="Length">Elements of an array.</param>
public sealed record BtfType(
    BtfKind Kind, string Name, int Size, int Target, int Length, IReadOnlyList<BtfMember> Members, IReadOnlyList<BtfEnumerator> Enumerators);

/// <summary>The types of a BPF object, read from its .BTF section without the kernel.</summary>
public sealed class BtfTypes
{
    private const ushort Magic = 0xeb9f;

    private readonly List<BtfType> _types = [new(BtfKind.Void, "void", 0, 0, 0, [], [])];

    private BtfTypes()
    {
    }

    /// <summary>By type id; 0 is void.</summary>
    public IReadOnlyList<BtfType> All => _types;

    /// <exception cref="InvalidDataException">The object has no BTF, or BTF that this reader does not know.</exception>
    public static BtfTypes FromObject(ReadOnlyMemory<byte> elfBytes) =>
        ElfObject.Read(elfBytes).TryGetSection(".BTF", out var section)
            ? Parse(section.Span)
            : throw new InvalidDataException("the object has no .BTF section; compile it with -g");

    /// <exception cref="InvalidDataException">Not BTF, or a kind that this reader does not know.</exception>
    public static BtfTypes Parse(ReadOnlySpan<byte> btf)
    {
        try
        {
            return ParseChecked(btf);
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or IndexOutOfRangeException)
        {
            throw new InvalidDataException("BTF ends before it should", e);
        }
    }

    /// <summary>Follows typedefs and qualifiers down to the type that has a shape.</summary>
    public BtfType Resolve(int id)
    {
        var type = _types[id];
        while (type.Kind is BtfKind.Typedef or BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict or BtfKind.TypeTag)
            type = _types[type.Target];
        return type;
    }

    /// <summary>Whether a typedef of this name lies between the id and its shape.</summary>
    public bool IsTypedef(int id, string name)
    {
        for (var type = _types[id];
             type.Kind is BtfKind.Typedef or BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict or BtfKind.TypeTag;
             type = _types[type.Target])
        {
            if (type.Kind == BtfKind.Typedef && type.Name == name)
                return true;
        }

        return false;
    }

    private static BtfTypes ParseChecked(ReadOnlySpan<byte> btf)
    {
        if (btf.Length < 24 || BinaryPrimitives.ReadUInt16LittleEndian(btf) != Magic)
            throw new InvalidDataException("not little-endian BTF");

        var header = BinaryPrimitives.ReadInt32LittleEndian(btf[4..]);
        var types = btf.Slice(header + BinaryPrimitives.ReadInt32LittleEndian(btf[8..]), BinaryPrimitives.ReadInt32LittleEndian(btf[12..]));
        var strings = btf.Slice(header + BinaryPrimitives.ReadInt32LittleEndian(btf[16..]), BinaryPrimitives.ReadInt32LittleEndian(btf[20..]));

        var result = new BtfTypes();
        while (!types.IsEmpty)
            types = types[result.Add(types, strings)..];
        return result;
    }

    /// <summary>Reads one type; the bytes it took.</summary>
    private int Add(ReadOnlySpan<byte> at, ReadOnlySpan<byte> strings)
    {
        var info = BinaryPrimitives.ReadUInt32LittleEndian(at[4..]);
        var kind = (BtfKind)((info >> 24) & 0x1f);
        var count = (int)(info & 0xffff);
        var sizeOrType = BinaryPrimitives.ReadInt32LittleEndian(at[8..]);
        var tail = at[12..];
        var members = Array.Empty<BtfMember>();
        var enumerators = Array.Empty<BtfEnumerator>();
        int size = 0, target = 0, length = 0, taken = 0;

        switch (kind)
        {
            case BtfKind.Int or BtfKind.Float:
                size = sizeOrType;
                taken = kind == BtfKind.Int ? 4 : 0;
                break;
            case BtfKind.Array:
                target = BinaryPrimitives.ReadInt32LittleEndian(tail);
                length = BinaryPrimitives.ReadInt32LittleEndian(tail[8..]);
                taken = 12;
                break;
            case BtfKind.Struct or BtfKind.Union:
                size = sizeOrType;
                taken = count * 12;
                members = ReadMembers(tail, strings, count, bitfields: info >> 31 != 0);
                break;
            case BtfKind.Enum or BtfKind.Enum64:
                size = sizeOrType;
                taken = count * (kind == BtfKind.Enum ? 8 : 12);
                enumerators = ReadEnumerators(tail, strings, count, kind, signed: info >> 31 != 0);
                break;
            case BtfKind.Pointer or BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const or BtfKind.Restrict or BtfKind.Function
                or BtfKind.TypeTag or BtfKind.Forward:
                target = kind == BtfKind.Forward ? 0 : sizeOrType;
                break;
            case BtfKind.FunctionPrototype:
                taken = count * 8;
                break;
            case BtfKind.Variable or BtfKind.DeclarationTag:
                target = sizeOrType;
                taken = 4;
                break;
            case BtfKind.DataSection:
                taken = count * 12;
                break;
            default:
                throw new InvalidDataException($"BTF kind {(int)kind} is not known");
        }

        _types.Add(new BtfType(kind, TextAt(strings, BinaryPrimitives.ReadInt32LittleEndian(at)), size, target, length, members, enumerators));
        return 12 + taken;
    }

    private static BtfMember[] ReadMembers(ReadOnlySpan<byte> at, ReadOnlySpan<byte> strings, int count, bool bitfields)
    {
        var members = new BtfMember[count];
        for (var i = 0; i < count; i++, at = at[12..])
        {
            var offset = BinaryPrimitives.ReadInt32LittleEndian(at[8..]);
            members[i] = new BtfMember(
                TextAt(strings, BinaryPrimitives.ReadInt32LittleEndian(at)),
                BinaryPrimitives.ReadInt32LittleEndian(at[4..]),
                bitfields ? offset & 0xffffff : offset);
        }

        return members;
    }

    private static BtfEnumerator[] ReadEnumerators(ReadOnlySpan<byte> at, ReadOnlySpan<byte> strings, int count, BtfKind kind, bool signed)
    {
        var enumerators = new BtfEnumerator[count];
        for (var i = 0; i < count; i++)
        {
            var low = BinaryPrimitives.ReadUInt32LittleEndian(at[4..]);
            var value = kind == BtfKind.Enum64
                ? (long)(((ulong)BinaryPrimitives.ReadUInt32LittleEndian(at[8..]) << 32) | low)
                : signed ? (int)low : low;
            enumerators[i] = new BtfEnumerator(TextAt(strings, BinaryPrimitives.ReadInt32LittleEndian(at)), value);
            at = at[(kind == BtfKind.Enum ? 8 : 12)..];
        }

        return enumerators;
    }

    private static string TextAt(ReadOnlySpan<byte> strings, int offset)
    {
        var text = strings[offset..];
        return Encoding.UTF8.GetString(text[..text.IndexOf((byte)0)]);
    }
}

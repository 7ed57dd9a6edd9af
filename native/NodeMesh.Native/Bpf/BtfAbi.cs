using System.Security.Cryptography;
using System.Text;

namespace NodeMesh.Native.Bpf;

/// <summary>How the bytes of one field are to be read.</summary>
public enum AbiScalar
{
    Struct,
    U8,
    U16,
    U32,
    U64,
    Be16,
    Be32,
}

/// <param name="Offset">Bytes.</param>
/// <param name="Length">Elements; 0 when not an array.</param>
/// <param name="StructName">C name, when <paramref name="Scalar"/> is Struct.</param>
public sealed record AbiField(string Name, int Offset, AbiScalar Scalar, string StructName, int Length);

/// <param name="Size">Bytes.</param>
public sealed record AbiStruct(string Name, int Size, IReadOnlyList<AbiField> Fields)
{
    /// <summary>Sixteen hexadecimal digits that differ when the layout differs.</summary>
    public string Hash => AbiText.Hash(Text);

    internal string Text => string.Concat(
        [$"struct {Name} {Size}\n", .. Fields.Select(f => $"  {f.Offset} {f.Name} {f.Scalar} {f.StructName}[{f.Length}]\n")]);
}

public sealed record AbiEnum(string Name, IReadOnlyList<BtfEnumerator> Values)
{
    internal string Text => string.Concat([$"enum {Name}\n", .. Values.Select(v => $"  {v.Name} = {v.Value}\n")]);
}

/// <summary>The shapes both languages agree on (struct nm_*, enum nm_*), as an object's BTF has them. Sorted by name.</summary>
public sealed record BtfAbi(IReadOnlyList<AbiStruct> Structs, IReadOnlyList<AbiEnum> Enums)
{
    private const string Prefix = "nm_";

    /// <summary>Sixteen hexadecimal digits over all layouts and values.</summary>
    public string Hash => AbiText.Hash(string.Concat(Structs.Select(s => s.Text).Concat(Enums.Select(e => e.Text))));

    /// <summary>Types that have no plain layout (pointers, unions, bit fields) are left out unless named in <paramref name="only"/>.</summary>
    /// <param name="only">Names to read; null for every nm_ type, each of which must have a plain layout.</param>
    /// <exception cref="InvalidDataException">A wanted struct holds something other than fixed-width numbers, structs and arrays of them.</exception>
    public static BtfAbi Read(BtfTypes types, IReadOnlyCollection<string>? only = null)
    {
        bool Wanted(BtfType type) => type.Name.StartsWith(Prefix, StringComparison.Ordinal) && (only is null || only.Contains(type.Name));

        var structs = types.All.Where(t => t.Kind == BtfKind.Struct && Wanted(t)).Select(t => ReadStruct(types, t));
        var enums = types.All.Where(t => t.Kind == BtfKind.Enum && Wanted(t)).Select(t => new AbiEnum(t.Name, t.Enumerators));
        return new BtfAbi(
            structs.OrderBy(s => s.Name, StringComparer.Ordinal).ToArray(),
            enums.OrderBy(e => e.Name, StringComparer.Ordinal).ToArray());
    }

    private static AbiStruct ReadStruct(BtfTypes types, BtfType type) =>
        new(type.Name, type.Size, type.Members.Select(m => ReadField(types, type, m)).ToArray());

    private static AbiField ReadField(BtfTypes types, BtfType owner, BtfMember member)
    {
        if (member.BitOffset % 8 != 0)
            throw new InvalidDataException($"{owner.Name}.{member.Name}: a bit field has no place in the ABI");

        var id = member.Type;
        var length = 0;
        var shape = types.Resolve(id);
        if (shape.Kind == BtfKind.Array)
        {
            length = shape.Length;
            id = shape.Target;
            shape = types.Resolve(id);
        }

        var scalar = shape switch
        {
            { Kind: BtfKind.Struct } => AbiScalar.Struct,
            { Kind: BtfKind.Int, Size: 1 } => AbiScalar.U8,
            { Kind: BtfKind.Int, Size: 2 } => types.IsTypedef(id, "__be16") ? AbiScalar.Be16 : AbiScalar.U16,
            { Kind: BtfKind.Int, Size: 4 } => types.IsTypedef(id, "__be32") ? AbiScalar.Be32 : AbiScalar.U32,
            { Kind: BtfKind.Int, Size: 8 } => AbiScalar.U64,
            _ => throw new InvalidDataException($"{owner.Name}.{member.Name}: {shape.Kind} has no place in the ABI"),
        };
        return new AbiField(member.Name, member.BitOffset / 8, scalar, scalar == AbiScalar.Struct ? shape.Name : "", length);
    }
}

internal static class AbiText
{
    internal static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 8));
}

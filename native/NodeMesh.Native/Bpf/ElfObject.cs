using System.Buffers.Binary;
using System.Text;

namespace NodeMesh.Native.Bpf;

/// <summary>As much of a 64-bit little-endian ELF relocatable as a BPF object needs: sections by name and symbols by name.</summary>
public sealed class ElfObject
{
    private const int SymbolTableType = 2;

    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly List<Section> _sections = [];

    private ElfObject(ReadOnlyMemory<byte> bytes) => _bytes = bytes;

    private readonly record struct Section(string Name, uint Type, int Offset, int Size, int Link);

    /// <exception cref="InvalidDataException">The bytes are not such a file.</exception>
    public static ElfObject Read(ReadOnlyMemory<byte> bytes)
    {
        var span = bytes.Span;
        if (span.Length < 64 || !span[..4].SequenceEqual("\u007fELF"u8) || span[4] != 2 || span[5] != 1)
            throw new InvalidDataException("not a 64-bit little-endian ELF file");

        var elf = new ElfObject(bytes);
        try
        {
            elf.ReadSections();
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("ELF section table points outside the file", e);
        }

        return elf;
    }

    public bool TryGetSection(string name, out ReadOnlyMemory<byte> content)
    {
        foreach (var section in _sections)
        {
            if (section.Name == name)
            {
                content = _bytes.Slice(section.Offset, section.Size);
                return true;
            }
        }

        content = default;
        return false;
    }

    /// <summary>Where a symbol stands: the name of its section, its offset there and its size in bytes.</summary>
    public bool TryGetSymbol(string name, out string section, out int offset, out int size)
    {
        foreach (var table in _sections)
        {
            if (table.Type != SymbolTableType)
                continue;

            var symbols = _bytes.Span.Slice(table.Offset, table.Size);
            var names = _sections[table.Link];
            for (; symbols.Length >= 24; symbols = symbols[24..])
            {
                var index = BinaryPrimitives.ReadUInt16LittleEndian(symbols[6..]);
                if (index == 0 || index >= _sections.Count || TextAt(names, BinaryPrimitives.ReadInt32LittleEndian(symbols)) != name)
                    continue;

                section = _sections[index].Name;
                offset = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(symbols[8..]));
                size = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(symbols[16..]));
                return true;
            }
        }

        section = "";
        offset = size = 0;
        return false;
    }

    private void ReadSections()
    {
        var span = _bytes.Span;
        var table = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(span[0x28..]));
        var entry = BinaryPrimitives.ReadUInt16LittleEndian(span[0x3a..]);
        var count = BinaryPrimitives.ReadUInt16LittleEndian(span[0x3c..]);
        var nameIndex = BinaryPrimitives.ReadUInt16LittleEndian(span[0x3e..]);

        var names = Header(span, table + (nameIndex * entry), out _);
        for (var i = 0; i < count; i++)
        {
            var section = Header(span, table + (i * entry), out var name);
            _sections.Add(section with { Name = TextAt(names, name) });
        }
    }

    private static Section Header(ReadOnlySpan<byte> span, int at, out int name)
    {
        const uint NoBits = 8;
        var header = span.Slice(at, 64);
        name = BinaryPrimitives.ReadInt32LittleEndian(header);
        var type = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        var offset = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(header[0x18..]));
        var size = type == NoBits ? 0 : checked((int)BinaryPrimitives.ReadUInt64LittleEndian(header[0x20..]));
        _ = span.Slice(offset, size);
        return new Section("", type, offset, size, BinaryPrimitives.ReadInt32LittleEndian(header[0x28..]));
    }

    private string TextAt(Section names, int offset)
    {
        var text = _bytes.Span.Slice(names.Offset, names.Size)[offset..];
        var end = text.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? text : text[..end]);
    }
}

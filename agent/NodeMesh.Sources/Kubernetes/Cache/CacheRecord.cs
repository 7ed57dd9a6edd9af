using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace NodeMesh.Sources.Kubernetes.Cache;

internal enum CacheRecordType : byte
{
    /// <summary>An object as it is now.</summary>
    Object = 1,

    /// <summary>An object is gone.</summary>
    Gone = 2,

    /// <summary>All objects of a kind have been said by now.</summary>
    Complete = 3,
}

/// <summary>One thing that was heard.</summary>
/// <param name="Key">The object's origin, or the kind that is complete.</param>
/// <param name="Json">Empty unless there is an object.</param>
internal readonly record struct CacheRecord(CacheRecordType Type, string Key, ReadOnlyMemory<byte> Json)
{
    private const int LengthSize = sizeof(int);

    public void Write(IBufferWriter<byte> to)
    {
        to.GetSpan(1)[0] = (byte)Type;
        to.Advance(1);
        var key = Encoding.UTF8.GetByteCount(Key);
        WriteLength(key, to);
        to.Advance(Encoding.UTF8.GetBytes(Key, to.GetSpan(key)));
        WriteLength(Json.Length, to);
        to.Write(Json.Span);
    }

    /// <param name="bytes">Records, one after the other; what is returned refers to them.</param>
    /// <exception cref="InvalidDataException">Something else.</exception>
    public static IEnumerable<CacheRecord> ReadAll(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var type = (CacheRecordType)bytes.Span[0];
            if (type is < CacheRecordType.Object or > CacheRecordType.Complete)
                throw new InvalidDataException($"a record of type {(byte)type} is not known");
            bytes = bytes[1..];
            var key = Encoding.UTF8.GetString(Take(ref bytes).Span);
            yield return new CacheRecord(type, key, Take(ref bytes));
        }
    }

    private static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> bytes)
    {
        var length = bytes.Length < LengthSize ? -1 : BinaryPrimitives.ReadInt32LittleEndian(bytes.Span);
        if (length < 0 || length > bytes.Length - LengthSize)
            throw new InvalidDataException("a record ends too early");
        var taken = bytes.Slice(LengthSize, length);
        bytes = bytes[(LengthSize + length)..];
        return taken;
    }

    private static void WriteLength(int length, IBufferWriter<byte> to)
    {
        BinaryPrimitives.WriteInt32LittleEndian(to.GetSpan(LengthSize), length);
        to.Advance(LengthSize);
    }
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace NodeMesh.Compiler;

/// <summary>The first half of the SHA-256 of a canonical text: stands for the text where a plan has tens of thousands.</summary>
internal readonly record struct ContentHash(ulong Hi, ulong Lo) : IComparable<ContentHash>
{
    public static ContentHash Of(string text)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        var length = Encoding.UTF8.GetMaxByteCount(text.Length);
        var bytes = length <= 512 ? stackalloc byte[512] : new byte[length];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(text, bytes)], hash);
        return new ContentHash(BinaryPrimitives.ReadUInt64BigEndian(hash), BinaryPrimitives.ReadUInt64BigEndian(hash[8..]));
    }

    /// <summary>The number that it would like among those from <paramref name="first"/> on.</summary>
    public uint Natural(uint first) => (uint)(Hi >> 32) is var number && number >= first ? number : first + (number % (uint.MaxValue - first));

    public int CompareTo(ContentHash other) => Hi != other.Hi ? Hi.CompareTo(other.Hi) : Lo.CompareTo(other.Lo);
}

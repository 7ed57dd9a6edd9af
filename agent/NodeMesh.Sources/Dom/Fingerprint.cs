using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace NodeMesh.Sources.Dom;

/// <summary>
/// Stands for a tree of nodes, places included: equal ones are the same to every reader, line numbers in messages too. Thirty-two bytes are kept instead of
/// the tree, which is many times the size of what is made from it.
/// </summary>
internal readonly record struct Fingerprint(ulong A, ulong B, ulong C, ulong D)
{
    public static Fingerprint Of(ApiNode node)
    {
        var content = new ArrayBufferWriter<byte>(1024);
        Write(node, content);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content.WrittenSpan, hash);
        var words = MemoryMarshal.Cast<byte, ulong>(hash);
        return new Fingerprint(words[0], words[1], words[2], words[3]);
    }

    // Every part says its length first, so that two trees never write the same bytes.
    private static void Write(ApiNode node, ArrayBufferWriter<byte> to)
    {
        Write(node.At.Line, to);
        Write(node.At.Column, to);
        switch (node)
        {
            case ApiScalar scalar:
                Write(-1 - (int)scalar.Kind, to);
                Write(scalar.Text, to);
                break;
            case ApiList list:
                Write(2 * list.Items.Count, to);
                foreach (var item in list.Items)
                    Write(item, to);
                break;
            case ApiMap map:
                Write((2 * map.Fields.Count) + 1, to);
                foreach (var field in map.Fields)
                {
                    Write(field.Name, to);
                    Write(field.At.Line, to);
                    Write(field.At.Column, to);
                    Write(field.Value, to);
                }
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(node), node.Described, "a kind of node this build does not know");
        }
    }

    private static void Write(string text, ArrayBufferWriter<byte> to)
    {
        Write(text.Length, to);
        to.Write(MemoryMarshal.AsBytes(text.AsSpan()));
    }

    private static void Write(int number, ArrayBufferWriter<byte> to)
    {
        BinaryPrimitives.WriteInt32LittleEndian(to.GetSpan(sizeof(int)), number);
        to.Advance(sizeof(int));
    }
}

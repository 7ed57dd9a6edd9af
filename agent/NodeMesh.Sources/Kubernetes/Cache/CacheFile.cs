using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NodeMesh.Sources.Kubernetes.Cache;

/// <summary>
/// A file of frames behind a line that says whose it is. Each frame is written by one call and says its length and what it must hash to, so that an end that was
/// cut off is told from a middle that was changed. Not thread-safe.
/// </summary>
internal sealed class CacheFile : IDisposable
{
    /// <summary>A frame of objects, each of which has at most some megabytes.</summary>
    private const int MostFrame = 64 * 1024 * 1024;
    private const int MostTitle = 1024;

    /// <summary>Below this, packing costs more than it saves.</summary>
    private const int LeastPacked = 4096;

    // length, its complement, whether it is packed, first bytes of the hash
    private const int HeadSize = 4 + 4 + 1 + HashSize;
    private const int HashSize = 8;

    private readonly SafeFileHandle _handle;

    private CacheFile(string path, SafeFileHandle handle, long start, long length)
    {
        Path = path;
        _handle = handle;
        Start = start;
        Length = length;
    }

    public string Path { get; private set; }

    /// <summary>Where the first frame is.</summary>
    public long Start { get; }

    /// <summary>Where the next frame will be.</summary>
    public long Length { get; private set; }

    /// <summary>A new one, for its owner's eyes only, in place of whatever is there.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static CacheFile Create(string path, string title)
    {
        File.Delete(path);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite | FileShare.Delete,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            BufferSize = 0,
        };
        var line = Encoding.UTF8.GetBytes(title + "\n");
        using var stream = new FileStream(path, options);
        stream.Write(line);
        return new CacheFile(path, File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete), line.Length, line.Length);
    }

    /// <summary>What is there, every frame of it checked; an end that was being written when its writer died is cut off.</summary>
    /// <param name="each">With the content of each frame, in order.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is not whole, or not of this title.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static CacheFile Open(string path, string title, Action<ReadOnlyMemory<byte>> each)
    {
        var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            var start = CheckTitle(handle, title);
            var file = new CacheFile(path, handle, start, RandomAccess.GetLength(handle));
            file.Length = file.Read(file.Length, each, mayEndEarly: true);
            RandomAccess.SetLength(handle, file.Length);
            return file;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <returns>How many bytes it took.</returns>
    /// <exception cref="IOException">It cannot be written; what is there of it now is not whole.</exception>
    public int Append(ReadOnlySpan<byte> content)
    {
        var packed = content.Length >= LeastPacked;
        var body = packed ? Pack(content) : content.ToArray();
        var frame = new byte[HeadSize + body.Length];
        BinaryPrimitives.WriteInt32LittleEndian(frame, body.Length);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(4), ~body.Length);
        frame[8] = packed ? (byte)1 : (byte)0;
        Hash(body).CopyTo(frame.AsSpan(9));
        body.CopyTo(frame.AsSpan(HeadSize));
        RandomAccess.Write(_handle, frame, Length);
        Length += frame.Length;
        return frame.Length;
    }

    /// <summary>The frames from the first up to a place that was the file's length once.</summary>
    /// <exception cref="InvalidDataException">They are not whole.</exception>
    public void Read(long end, Action<ReadOnlyMemory<byte>> each) => Read(end, each, mayEndEarly: false);

    /// <summary>Takes over the frames of another file from there on, as they are.</summary>
    public void AppendFrom(CacheFile other, long from)
    {
        var bytes = new byte[other.Length - from];
        Fill(other._handle, bytes, from);
        RandomAccess.Write(_handle, bytes, Length);
        Length += bytes.Length;
    }

    /// <summary>From now on it is the one of that name: whoever opens that sees the old or the new one, never a part.</summary>
    public void Replace(string path)
    {
        File.Move(Path, path, overwrite: true);
        Path = path;
    }

    /// <summary>It was of no use.</summary>
    public void Discard()
    {
        Dispose();
        File.Delete(Path);
    }

    public void Dispose() => _handle.Dispose();

    private long Read(long end, Action<ReadOnlyMemory<byte>> each, bool mayEndEarly)
    {
        var head = new byte[HeadSize];
        for (var at = Start; ;)
        {
            if (end - at < HeadSize)
                return at == end || mayEndEarly ? at : throw new InvalidDataException($"it ends within a frame, at byte {at}");
            Fill(_handle, head, at);
            var length = BinaryPrimitives.ReadInt32LittleEndian(head);
            if (length is < 0 or > MostFrame || BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(4)) != ~length || head[8] > 1)
                throw new InvalidDataException($"there is no frame at byte {at}");
            if (length > end - at - HeadSize)
                return mayEndEarly ? at : throw new InvalidDataException($"it ends within a frame, at byte {at}");
            var body = new byte[length];
            Fill(_handle, body, at + HeadSize);
            if (!Hash(body).SequenceEqual(head.AsSpan(9)))
                throw new InvalidDataException($"the frame at byte {at} was changed");
            each(head[8] == 1 ? Unpack(body) : body);
            at += HeadSize + length;
        }
    }

    /// <returns>Where the frames begin.</returns>
    private static long CheckTitle(SafeFileHandle handle, string title)
    {
        Span<byte> bytes = stackalloc byte[MostTitle];
        bytes = bytes[..RandomAccess.Read(handle, bytes, 0)];
        var end = bytes.IndexOf((byte)'\n');
        var found = end < 0 ? "" : Encoding.UTF8.GetString(bytes[..end]);
        if (found != title)
            throw new InvalidDataException(found.Length == 0 || found.Any(char.IsControl) ? "it is none of ours" : $"it is of \"{found}\", not of \"{title}\"");
        return end + 1;
    }

    private static void Fill(SafeFileHandle handle, Span<byte> bytes, long from)
    {
        for (var done = 0; done < bytes.Length;)
        {
            var read = RandomAccess.Read(handle, bytes[done..], from + done);
            if (read == 0)
                throw new InvalidDataException("it became shorter while it was read");
            done += read;
        }
    }

    private static Span<byte> Hash(ReadOnlySpan<byte> body) => SHA256.HashData(body).AsSpan(0, HashSize);

    private static byte[] Pack(ReadOnlySpan<byte> content)
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            deflate.Write(content);
        return packed.ToArray();
    }

    private static byte[] Unpack(byte[] body)
    {
        using var deflate = new DeflateStream(new MemoryStream(body), CompressionMode.Decompress);
        using var content = new MemoryStream();
        deflate.CopyTo(content);
        return content.ToArray();
    }
}

using System.Buffers;

namespace NodeMesh.Sources.Kubernetes.Cache;

/// <summary>Copies the last word about each object. In two passes, so that of a large file no more is in memory than a frame and the objects' names.</summary>
internal static class CacheCompaction
{
    private const int FrameSize = 256 * 1024;

    /// <param name="end">Where to stop reading.</param>
    public static void Run(CacheFile from, long end, CacheFile to)
    {
        var last = new Dictionary<string, long>(StringComparer.Ordinal);
        var number = 0L;
        from.Read(end, frame =>
        {
            foreach (var record in CacheRecord.ReadAll(frame))
                last[record.Key] = number++;
        });

        number = 0;
        var content = new ArrayBufferWriter<byte>(FrameSize);
        from.Read(end, frame =>
        {
            foreach (var record in CacheRecord.ReadAll(frame))
            {
                if (last[record.Key] == number++ && record.Type != CacheRecordType.Gone)
                    record.Write(content);
                if (content.WrittenCount >= FrameSize)
                    Flush();
            }
        });
        Flush();

        void Flush()
        {
            if (content.WrittenCount > 0)
                to.Append(content.WrittenSpan);
            content.ResetWrittenCount();
        }
    }
}

using System.Security.Cryptography;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>
/// A small file that somebody renews, as the kubelet does what it mounts of a service account: read whenever it is asked for, and by no clock, since a node's clock may be
/// set. While it cannot be read, what it held last holds. Any thread.
/// </summary>
/// <param name="parse">Throws <see cref="FormatException"/> or <see cref="CryptographicException"/> where it makes no sense.</param>
internal sealed class RenewedFile<T>(string path, Func<byte[], T> parse)
    where T : class
{
    private readonly Lock _lock = new();
    private byte[] _bytes = [];
    private T? _value;

    /// <summary>The same object while the file says the same.</summary>
    /// <exception cref="IOException">It was never read, and cannot be.</exception>
    public T Current
    {
        get
        {
            lock (_lock)
            {
                try
                {
                    var bytes = File.ReadAllBytes(path);
                    if (_value is null || !bytes.AsSpan().SequenceEqual(_bytes))
                        (_value, _bytes) = (parse(bytes), bytes);
                    return _value;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or CryptographicException)
                {
                    return _value ?? throw new IOException($"{path}: {e.Message}", e);
                }
            }
        }
    }
}

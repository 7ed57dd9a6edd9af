using System.Collections.Immutable;
using System.Security.Cryptography;

namespace NodeMesh.Native.Tls;

/// <summary>The keys that seal session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1): one for all workers, replaced as time goes by,
/// so that a stolen key opens at most the sessions of <see cref="RotateEvery"/> and the ring forgets it after that many more.</summary>
public sealed unsafe class TicketKeyRing(TimeProvider time)
{
    /// <summary>How long a client may use a ticket.</summary>
    public static readonly TimeSpan TicketLifetime = TimeSpan.FromHours(12);

    /// <summary>A new key for new tickets; two older ones still open theirs, which covers the lifetime.</summary>
    public static readonly TimeSpan RotateEvery = TimeSpan.FromHours(8);

    private const int Kept = 3;
    private const int IvLength = 16;

    private readonly Lock _lock = new();
    private ImmutableArray<TicketKey> _keys = [new TicketKey(time.GetUtcNow())];

    /// <summary>Keys in use, newest first; for status pages, hence names only.</summary>
    public ImmutableArray<Guid> KeyNames => [.. Current().Select(k => new Guid(k.Name))];

    /// <summary>tls_ticket_key_evp_cb: 1 the key is set, 2 it is set and the ticket should be renewed, 0 no such key, -1 error.</summary>
    internal int Apply(byte* name, byte* iv, nint cipher, nint mac, bool encrypting)
    {
        var keys = Current();
        if (encrypting)
        {
            var key = keys[0];
            key.Name.CopyTo(new Span<byte>(name, TicketKey.NameLength));
            RandomNumberGenerator.Fill(new Span<byte>(iv, IvLength));
            fixed (byte* secret = key.Cipher)
                return OpenSsl.EVP_EncryptInit_ex(cipher, OpenSsl.EVP_aes_256_cbc(), 0, secret, iv) == 1 && SetMac(mac, key) ? 1 : -1;
        }

        for (var i = 0; i < keys.Length; i++)
        {
            if (!new ReadOnlySpan<byte>(name, TicketKey.NameLength).SequenceEqual(keys[i].Name))
                continue;
            fixed (byte* secret = keys[i].Cipher)
            {
                if (!SetMac(mac, keys[i]) || OpenSsl.EVP_DecryptInit_ex(cipher, OpenSsl.EVP_aes_256_cbc(), 0, secret, iv) != 1)
                    return -1;
            }

            return i == 0 ? 1 : 2;
        }

        return 0;
    }

    private ImmutableArray<TicketKey> Current()
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            if (now - _keys[0].Made >= RotateEvery)
                _keys = [new TicketKey(now), .. _keys.Take(Kept - 1).Where(k => now - k.Made < RotateEvery + TicketLifetime)];
            return _keys;
        }
    }

    private static bool SetMac(nint mac, TicketKey key)
    {
        var parameters = stackalloc OpenSsl.OsslParam[3];
        fixed (byte* secret = key.Mac)
        fixed (byte* keyName = "key"u8)
        fixed (byte* digestName = "digest"u8)
        fixed (byte* digest = "SHA256"u8)
        {
            parameters[0] = new() { Key = keyName, Type = OpenSsl.OsslParam.OctetString, Data = secret, Size = (nuint)key.Mac.Length };
            parameters[1] = new() { Key = digestName, Type = OpenSsl.OsslParam.Utf8String, Data = digest, Size = 6 };
            parameters[2] = default;
            return OpenSsl.EVP_MAC_CTX_set_params(mac, parameters) == 1;
        }
    }

    private sealed class TicketKey(DateTimeOffset made)
    {
        public const int NameLength = 16;

        public DateTimeOffset Made { get; } = made;

        public byte[] Name { get; } = RandomNumberGenerator.GetBytes(NameLength);

        public byte[] Cipher { get; } = RandomNumberGenerator.GetBytes(32);

        public byte[] Mac { get; } = RandomNumberGenerator.GetBytes(32);
    }
}

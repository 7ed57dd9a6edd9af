using System.Runtime.InteropServices;

namespace NodeMesh.Native.Tls;

/// <summary>OpenSSL as a dependency of the running agent, not of its binary. The runtime uses it too, for hashes and certificates.</summary>
public static class TlsLibrary
{
    private const int SigPipe = 13;
    private const int SigIgnore = 1;

    private static readonly Lazy<string?> Problem = new(Load);

    /// <summary>Null when libssl and libcrypto 3 are there; else one sentence with the cure.</summary>
    public static string? Missing => Problem.Value;

    /// <exception cref="TlsException">OpenSSL 3 is not on this machine; the message has the cure.</exception>
    internal static void Require()
    {
        if (Problem.Value is { } problem)
            throw new TlsException(problem);
    }

    /// <summary>One sentence about the first of these libraries that cannot be loaded; null when all can.</summary>
    internal static string? MissingOf(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (!NativeLibrary.TryLoad(name, out _))
                return $"NodeMesh needs OpenSSL 3, but {name} cannot be loaded. Cure: apt-get install libssl3";
        }

        return null;
    }

    private static string? Load()
    {
        if (MissingOf("libcrypto.so.3", "libssl.so.3") is { } missing)
            return missing;

        // libssl writes with write(2), so a peer that is gone raises SIGPIPE. The runtime ignores it, but only from where it sets up its
        // own signals; said here, it holds in every kind of host.
        OpenSsl.Signal(SigPipe, SigIgnore);
        return null;
    }
}

/// <summary>OpenSSL is missing, or refused what it was given. The message never holds key material.</summary>
public sealed class TlsException(string message) : Exception(message);

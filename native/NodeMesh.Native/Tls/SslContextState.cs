using System.Runtime.InteropServices;

namespace NodeMesh.Native.Tls;

/// <summary>What a context's callbacks need; lives exactly as long as the SSL_CTX, since OpenSSL tells when it frees it.</summary>
internal sealed unsafe class SslContextState(SslServerSettings settings)
{
    private readonly IReadOnlyList<byte[]> _protocols = settings.Protocols;
    private readonly TicketKeyRing _tickets = settings.Tickets;
    private readonly ISslContextSelector? _selector = settings.Selector;

    [UnmanagedCallersOnly]
    public static void OnFree(nint parent, nint data, nint exData, int index, nint argl, nint argp)
    {
        if (data != 0)
            GCHandle.FromIntPtr(data).Free();
    }

    [UnmanagedCallersOnly]
    public static int OnServerName(nint ssl, int* alert, nint argument)
    {
        var state = (SslContextState)GCHandle.FromIntPtr(argument).Target!;
        var name = OpenSsl.SSL_get_servername(ssl, 0);
        var chosen = state._selector!.Select(name is null ? null : SslSession.Text(name));
        if (chosen is null)
        {
            *alert = OpenSsl.AlertUnrecognizedName;
            return OpenSsl.NameAlertFatal;
        }

        OpenSsl.SSL_set_SSL_CTX(ssl, chosen.Pointer);
        GC.KeepAlive(chosen);
        return OpenSsl.NameOk;
    }

    /// <summary>Our preference among what the client offers: length-prefixed names (RFC 7301 section 3.1).</summary>
    [UnmanagedCallersOnly]
    public static int OnAlpn(nint ssl, byte** chosen, byte* chosenLength, byte* offered, uint length, nint argument)
    {
        var state = (SslContextState)GCHandle.FromIntPtr(argument).Target!;
        var list = new ReadOnlySpan<byte>(offered, (int)length);
        foreach (var ours in state._protocols)
        {
            for (var at = 0; at < list.Length; at += 1 + list[at])
            {
                if (at + 1 + list[at] > list.Length || !list.Slice(at + 1, list[at]).SequenceEqual(ours))
                    continue;
                *chosen = offered + at + 1;
                *chosenLength = list[at];
                return OpenSsl.NameOk;
            }
        }

        return OpenSsl.NameNoAck;
    }

    [UnmanagedCallersOnly]
    public static int OnTicket(nint ssl, byte* name, byte* iv, nint cipher, nint mac, int encrypting) =>
        SslContext.StateOf(OpenSsl.SSL_get_SSL_CTX(ssl))._tickets.Apply(name, iv, cipher, mac, encrypting != 0);
}

namespace NodeMesh.Native.Net;

/// <summary>errno values the socket code decides by (asm-generic; the same on x86-64 and arm64).</summary>
public static class Errnos
{
    public const int Intr = 4;
    public const int Again = 11;
    public const int NoMem = 12;
    public const int Access = 13;
    public const int Perm = 1;
    public const int NFile = 23;
    public const int MFile = 24;
    public const int Pipe = 32;
    public const int AddrInUse = 98;
    public const int AddrNotAvail = 99;
    public const int NetUnreach = 101;
    public const int ConnAborted = 103;
    public const int ConnReset = 104;
    public const int NoBufs = 105;
    public const int NotConn = 107;
    public const int TimedOut = 110;
    public const int ConnRefused = 111;
    public const int HostUnreach = 113;
    public const int InProgress = 115;

    /// <summary>The symbol of an errno, for logs: "ECONNRESET", or "errno 71".</summary>
    public static string Name(int errno) => errno switch
    {
        Perm => "EPERM",
        Intr => "EINTR",
        Again => "EAGAIN",
        NoMem => "ENOMEM",
        Access => "EACCES",
        NFile => "ENFILE",
        MFile => "EMFILE",
        Pipe => "EPIPE",
        AddrInUse => "EADDRINUSE",
        AddrNotAvail => "EADDRNOTAVAIL",
        NetUnreach => "ENETUNREACH",
        ConnAborted => "ECONNABORTED",
        ConnReset => "ECONNRESET",
        NoBufs => "ENOBUFS",
        NotConn => "ENOTCONN",
        TimedOut => "ETIMEDOUT",
        ConnRefused => "ECONNREFUSED",
        HostUnreach => "EHOSTUNREACH",
        InProgress => "EINPROGRESS",
        _ => "errno " + errno.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };
}

using System.Runtime.InteropServices;

namespace NodeMesh.Native.Bpf;

/// <summary>libbpf's levels.</summary>
public enum LibbpfLevel
{
    Warning = 0,
    Information = 1,
    Debug = 2,
}

/// <summary>
/// Where libbpf's messages go. libbpf has one print callback per process, which is why this is static: the one place of its kind.
/// </summary>
public static unsafe class LibbpfLog
{
    private static Action<LibbpfLevel, string>? s_sink;

    [ThreadStatic]
    private static List<string>? s_capture;

    /// <summary>Called on whichever thread calls libbpf; text has no line end. Replaces the one before.</summary>
    public static void SendTo(Action<LibbpfLevel, string> sink)
    {
        Volatile.Write(ref s_sink, sink);
        Libbpf.nm_log_to(&OnMessage);
    }

    /// <summary>Collects what libbpf says on this thread while <paramref name="action"/> runs; the sink still hears everything.</summary>
    internal static List<string> Capture(Action action)
    {
        Libbpf.nm_log_to(&OnMessage);
        var messages = s_capture = [];
        try
        {
            action();
        }
        finally
        {
            s_capture = null;
        }

        return messages;
    }

    [UnmanagedCallersOnly]
    private static void OnMessage(int level, byte* text)
    {
        var message = Libbpf.Text(text).TrimEnd();
        if (level < (int)LibbpfLevel.Debug)
            s_capture?.Add(message);
        Volatile.Read(ref s_sink)?.Invoke((LibbpfLevel)level, message);
    }
}

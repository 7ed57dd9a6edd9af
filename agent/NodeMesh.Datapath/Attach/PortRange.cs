using System.Globalization;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Attach;

/// <summary>
/// The kernel silently ignores a socket's own port range where it lies outside the host's ip_local_port_range, so that range is widened to hold the proxy's ports.
/// What it was is kept for cleanup.
/// </summary>
internal sealed class PortRange(string runDirectory)
{
    private const string Setting = "/proc/sys/net/ipv4/ip_local_port_range";

    private readonly string _saved = Path.Combine(runDirectory, "ip_local_port_range");

    /// <summary>First and last port; null when the setting cannot be read.</summary>
    public static (int First, int Last)? Current
    {
        get
        {
            if (!File.Exists(Setting))
                return null;
            var words = File.ReadAllText(Setting).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return (int.Parse(words[0], CultureInfo.InvariantCulture), int.Parse(words[1], CultureInfo.InvariantCulture));
        }
    }

    public static bool HoldsProxyPorts => Current is { } range && range.First <= Limit.ProxyPortFirst && range.Last >= Limit.ProxyPortLast;

    /// <param name="problems">Why it could not be widened, in words.</param>
    public void Ensure(List<string> problems)
    {
        if (HoldsProxyPorts || Current is not { } range)
            return;
        try
        {
            if (!File.Exists(_saved))
                File.WriteAllText(_saved, string.Create(CultureInfo.InvariantCulture, $"{range.First} {range.Last}\n"));
            File.WriteAllText(Setting, string.Create(CultureInfo.InvariantCulture, $"{Math.Min(range.First, Limit.ProxyPortFirst)} {Limit.ProxyPortLast}\n"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add($"{Setting} must reach from {Limit.ProxyPortFirst} or lower to {Limit.ProxyPortLast} and cannot be changed: {e.Message}");
        }
    }

    /// <summary>Puts back what was there before. Whether there was anything to put back.</summary>
    public bool Restore()
    {
        if (!File.Exists(_saved))
            return false;
        File.WriteAllText(Setting, File.ReadAllText(_saved));
        File.Delete(_saved);
        return true;
    }
}

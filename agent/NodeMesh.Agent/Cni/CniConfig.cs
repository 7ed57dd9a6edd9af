using System.Globalization;
using System.Text.Json;

namespace NodeMesh.Agent.Cni;

/// <summary>What the runtime writes to the plugin: its entry of the list, the list's name and version, and what the plugins before it made.</summary>
/// <param name="RunDir">Of the agent: its socket is there.</param>
/// <param name="FailsOpen">A pod whose policy is not in force in time starts all the same.</param>
/// <param name="PrevResult">As written; null when there is none.</param>
/// <param name="Addresses">Of the pod, from <paramref name="PrevResult"/>.</param>
/// <param name="ValidAttachments">Container ids, for GC; null when the runtime did not say.</param>
internal sealed record CniConfig(
    string Version, string RunDir, bool FailsOpen, TimeSpan Timeout, string? PrevResult, IReadOnlyList<string> Addresses, IReadOnlyList<string>? ValidAttachments)
{
    public const string NewestVersion = "1.1.0";

    /// <summary>prevResult came with the first.</summary>
    public static readonly string[] Versions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", NewestVersion];

    public const string RunDirField = "runDir";
    public const string ModeField = "onFailure";
    public const string TimeoutField = "timeoutSeconds";
    public const string FailOpen = "fail-open";
    public const string FailClosed = "fail-closed";

    /// <exception cref="CniException">It cannot be read.</exception>
    public static CniConfig Read(string text)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(text);
        }
        catch (JsonException e)
        {
            throw new CniException(CniCode.CannotDecode, "the network configuration on stdin is no JSON", e.Message, e);
        }

        using (document)
        {
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw new CniException(CniCode.CannotDecode, "the network configuration on stdin is no JSON object");
            var version = Text(root, "cniVersion", "0.1.0");
            if (!Versions.Contains(version))
                throw new CniException(CniCode.IncompatibleVersion, $"cniVersion {version} is not supported", $"supported: {string.Join(", ", Versions)}");
            var mode = Text(root, ModeField, FailClosed);
            if (mode is not (FailOpen or FailClosed))
                throw new CniException(CniCode.InvalidConfiguration, $"{ModeField} \"{mode}\": {FailOpen} or {FailClosed} expected");
            var previous = root.TryGetProperty("prevResult", out var result) && result.ValueKind == JsonValueKind.Object ? result : (JsonElement?)null;
            return new CniConfig(
                version, Text(root, RunDirField, "/run/nodemesh"), mode == FailOpen, Seconds(root), previous is { } p ? WithVersion(p, version) : null,
                previous is { } r ? AddressesOf(r) : [], Attachments(root));
        }
    }

    private static string Text(JsonElement root, string field, string otherwise) =>
        !root.TryGetProperty(field, out var value) || value.ValueKind == JsonValueKind.Null ? otherwise
        : value.ValueKind == JsonValueKind.String ? value.GetString()!
        : throw new CniException(CniCode.InvalidConfiguration, $"{field} is no text");

    private static TimeSpan Seconds(JsonElement root) =>
        !root.TryGetProperty(TimeoutField, out var value) ? TimeSpan.FromSeconds(30)
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var seconds) && seconds is > 0 and <= 600 ? TimeSpan.FromSeconds(seconds)
        : throw new CniException(CniCode.InvalidConfiguration, $"{TimeoutField}: a number from 1 to 600 expected");

    /// <summary>The result says its version; a runtime may leave it out where it gives it to a plugin.</summary>
    private static string WithVersion(JsonElement result, string version)
    {
        if (result.TryGetProperty("cniVersion", out _))
            return result.GetRawText();
        var raw = result.GetRawText();
        var rest = raw.AsSpan(raw.IndexOf('{') + 1);
        return $"{{\"cniVersion\":\"{version}\"{(rest.TrimStart().StartsWith("}") ? "" : ",")}{rest}";
    }

    /// <summary>Those of interfaces inside the pod: an entry without a sandbox is of the host.</summary>
    private static List<string> AddressesOf(JsonElement result)
    {
        var found = new List<string>();
        if (!result.TryGetProperty("ips", out var ips) || ips.ValueKind != JsonValueKind.Array)
            return found;
        foreach (var ip in ips.EnumerateArray())
        {
            if (ip.ValueKind != JsonValueKind.Object || !ip.TryGetProperty("address", out var address) || address.ValueKind != JsonValueKind.String)
                throw new CniException(CniCode.CannotDecode, "prevResult.ips has an entry without an address");
            if (IsInside(result, ip))
                found.Add(address.GetString()!.Split('/')[0]);
        }

        return found;
    }

    private static bool IsInside(JsonElement result, JsonElement ip)
    {
        if (!ip.TryGetProperty("interface", out var index) || index.ValueKind != JsonValueKind.Number || !index.TryGetInt32(out var at)
            || !result.TryGetProperty("interfaces", out var interfaces) || interfaces.ValueKind != JsonValueKind.Array || at < 0 || at >= interfaces.GetArrayLength())
            return true;
        return interfaces[at].ValueKind == JsonValueKind.Object && interfaces[at].TryGetProperty("sandbox", out var sandbox)
            && sandbox.ValueKind == JsonValueKind.String && sandbox.GetString()!.Length > 0;
    }

    private static List<string>? Attachments(JsonElement root)
    {
        if (!root.TryGetProperty("cni.dev/valid-attachments", out var list) && !root.TryGetProperty("cni.dev/attachments", out list))
            return null;
        if (list.ValueKind != JsonValueKind.Array)
            throw new CniException(CniCode.InvalidConfiguration, "cni.dev/valid-attachments is no list");
        var ids = new List<string>();
        foreach (var one in list.EnumerateArray())
            ids.Add(one.ValueKind == JsonValueKind.Object && one.TryGetProperty("containerID", out var id) && id.ValueKind == JsonValueKind.String
                ? id.GetString()!
                : throw new CniException(CniCode.InvalidConfiguration, "cni.dev/valid-attachments has an entry without a containerID"));
        return ids;
    }

    /// <summary>The entry of the list.</summary>
    public static string Entry(string type, string runDir, bool failsOpen, TimeSpan timeout) => string.Create(CultureInfo.InvariantCulture,
        $$"""{ "type": "{{type}}", "{{RunDirField}}": "{{JsonEncodedText.Encode(runDir)}}", "{{ModeField}}": "{{(failsOpen ? FailOpen : FailClosed)}}", "{{TimeoutField}}": {{(int)timeout.TotalSeconds}} }""");
}

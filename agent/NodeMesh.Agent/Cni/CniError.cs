using System.Text;
using System.Text.Json;

namespace NodeMesh.Agent.Cni;

/// <summary>Codes of the specification; from 100 on, our own.</summary>
internal enum CniCode
{
    IncompatibleVersion = 1,
    InvalidEnvironment = 4,
    IoFailure = 5,
    CannotDecode = 6,
    InvalidConfiguration = 7,
    TryAgainLater = 11,
    NotAvailable = 50,
    NotInForce = 100,
}

/// <summary>Ends the plugin with an error as the specification has it.</summary>
internal sealed class CniException(CniCode code, string message, string details = "", Exception? inner = null) : Exception(message, inner)
{
    public CniCode Code { get; } = code;

    public string Details { get; } = details;

    /// <param name="version">Of the specification, as the runtime asked for it.</param>
    public string Json(string version)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("cniVersion", version);
            writer.WriteNumber("code", (int)Code);
            writer.WriteString("msg", Message);
            if (Details.Length > 0)
                writer.WriteString("details", Details);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}

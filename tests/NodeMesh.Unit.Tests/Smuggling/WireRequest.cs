using System.Globalization;

namespace NodeMesh.Unit.Tests.Smuggling;

/// <summary>What a strict server, written without a look at the proxy, makes of the bytes it got: RFC 9112, every doubt an error.</summary>
internal sealed record WireRequest(string Line, IReadOnlyList<string> Fields, string Body)
{
    public string Path => Line.Split(' ')[1];

    /// <summary>Takes whole requests off the front; what is left over is an unfinished one.</summary>
    /// <exception cref="FormatException">The bytes are no requests.</exception>
    public static (List<WireRequest> Requests, string Unfinished) ReadAll(string bytes)
    {
        var requests = new List<WireRequest>();
        while (true)
        {
            var end = bytes.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end < 0)
                return (requests, bytes);
            var lines = bytes[..end].Split("\r\n");
            var parts = lines[0].Split(' ');
            if (parts.Length != 3 || parts[2] != "HTTP/1.1" || !parts[0].All(IsToken) || parts[0].Length == 0)
                throw new FormatException($"request line '{lines[0]}'");
            foreach (var line in lines[1..])
            {
                var colon = line.IndexOf(':');
                if (colon <= 0 || !line[..colon].All(IsToken) || line.Any(c => c is '\r' or '\n' or '\0'))
                    throw new FormatException($"field line '{line}'");
            }

            var fields = lines[1..];
            if (Values(fields, "host").Length != 1)
                throw new FormatException("not one Host");
            var lengths = Values(fields, "content-length");
            var codings = Values(fields, "transfer-encoding");
            if (lengths.Length + codings.Length > 1)
                throw new FormatException("more than one framing");

            var rest = bytes[(end + 4)..];
            string body;
            if (codings.Length == 1)
            {
                if (!codings[0].Equals("chunked", StringComparison.OrdinalIgnoreCase))
                    throw new FormatException($"coding '{codings[0]}'");
                if (!TryChunks(ref rest, out body))
                    return (requests, bytes);
            }
            else
            {
                var length = lengths.Length == 0 ? 0 : int.Parse(lengths[0], NumberStyles.None, CultureInfo.InvariantCulture);
                if (rest.Length < length)
                    return (requests, bytes);
                (body, rest) = (rest[..length], rest[length..]);
            }

            requests.Add(new WireRequest(lines[0], fields, body));
            bytes = rest;
        }
    }

    private static bool TryChunks(ref string rest, out string body)
    {
        body = "";
        var at = 0;
        while (true)
        {
            var lf = rest.IndexOf("\r\n", at, StringComparison.Ordinal);
            if (lf < 0)
                return false;
            var size = int.Parse(rest[at..lf], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            at = lf + 2;
            if (size == 0)
                break;
            if (rest.Length < at + size + 2)
                return false;
            body += rest.Substring(at, size);
            at += size;
            if (rest.Substring(at, 2) != "\r\n")
                throw new FormatException("chunk end");
            at += 2;
        }

        while (true)
        {
            var lf = rest.IndexOf("\r\n", at, StringComparison.Ordinal);
            if (lf < 0)
                return false;
            var empty = lf == at;
            at = lf + 2;
            if (empty)
                break;
        }

        rest = rest[at..];
        return true;
    }

    private static string[] Values(string[] fields, string name) =>
        [.. fields.Where(f => f.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).Select(f => f[(name.Length + 1)..].Trim(' ', '\t'))];

    private static bool IsToken(char c) => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c);
}

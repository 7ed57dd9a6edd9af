using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using NodeMesh.Agent.Options;

namespace NodeMesh.Agent.Hosting;

/// <summary>The agent's log: one line per message on stderr, as text or JSON with the message's values as fields.</summary>
internal sealed class LineLoggerProvider(TextWriter output, LogLevel least, TextFormat format, TimeProvider time) : ILoggerProvider
{
    private readonly Lock _gate = new();

    public ILogger CreateLogger(string categoryName) => new LineLogger(this, categoryName[(categoryName.LastIndexOf('.') + 1)..], categoryName.StartsWith("Microsoft", StringComparison.Ordinal) || categoryName.StartsWith("Grpc", StringComparison.Ordinal));

    public void Dispose()
    {
        lock (_gate)
            output.Flush();
    }

    private void Write(string line)
    {
        lock (_gate)
        {
            output.WriteLine(line);
            output.Flush();
        }
    }

    private sealed class LineLogger(LineLoggerProvider owner, string category, bool isFramework) : ILogger
    {
        // The web framework speaks of every request at Information.
        private readonly LogLevel _least = isFramework && owner.Least < LogLevel.Warning ? LogLevel.Warning : owner.Least;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= _least && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            var now = owner.Time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
            var message = formatter(state, exception);
            owner.Write(owner.Format == TextFormat.Json
                ? Json(now, logLevel, message, state as IReadOnlyList<KeyValuePair<string, object?>>, exception)
                : exception is null ? $"{now} {Word(logLevel),-7} {category}: {message}" : $"{now} {Word(logLevel),-7} {category}: {message}: {exception}");
        }

        private string Json(string now, LogLevel level, string message, IReadOnlyList<KeyValuePair<string, object?>>? values, Exception? exception)
        {
            using var buffer = new MemoryStream();
            using (var json = new Utf8JsonWriter(buffer))
            {
                json.WriteStartObject();
                json.WriteString("time", now);
                json.WriteString("level", Word(level));
                json.WriteString("logger", category);
                json.WriteString("message", message);
                foreach (var (name, value) in values ?? [])
                    if (name != "{OriginalFormat}")
                        json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture));
                if (exception is not null)
                    json.WriteString("exception", exception.ToString());
                json.WriteEndObject();
            }

            return System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
        }
    }

    private LogLevel Least => least;

    private TextFormat Format => format;

    private TimeProvider Time => time;

    private static string Word(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warning",
        _ => "error",
    };
}

using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace NodeMesh.Unit.Tests.Tls;

/// <summary>The other side: .NET's SslStream, and openssl s_client for what SslStream cannot be made to do.</summary>
internal static class TlsClient
{
    /// <summary>Connected and authenticated; trusts every certificate.</summary>
    public static SslStream Connect(int port, string serverName, SslProtocols protocols = SslProtocols.None, params string[] alpn)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 60_000, SendTimeout = 60_000 };
        socket.Connect(IPAddress.Loopback, port);
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            stream.AuthenticateAsClient(new SslClientAuthenticationOptions
            {
                TargetHost = serverName,
                EnabledSslProtocols = protocols,
                RemoteCertificateValidationCallback = (_, _, _, _) => true,
                ApplicationProtocols = alpn.Length == 0 ? null : [.. alpn.Select(a => new SslApplicationProtocol(a))],
                AllowTlsResume = false,
            });
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>CN of the certificate the server showed.</summary>
    public static string Subject(SslStream stream) => stream.RemoteCertificate!.Subject["CN=".Length..];

    public static void Exchange(SslStream stream, string text)
    {
        var sent = System.Text.Encoding.ASCII.GetBytes(text);
        stream.Write(sent);
        var got = new byte[sent.Length];
        stream.ReadExactly(got);
        Assert.That(got, Is.EqualTo(sent));
    }

    /// <summary>Runs s_client, types each line after the one before came back, and returns all it printed.</summary>
    public static string OpenSsl(int port, string arguments, params string[] lines)
    {
        var start = new ProcessStartInfo("openssl", $"s_client -connect 127.0.0.1:{port} {arguments}")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var output = new System.Text.StringBuilder();
        void Append(object sender, DataReceivedEventArgs e)
        {
            lock (output)
                output.AppendLine(e.Data);
        }

        process.OutputDataReceived += Append;
        process.ErrorDataReceived += Append;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        foreach (var line in lines)
        {
            process.StandardInput.WriteLine(line);
            process.StandardInput.Flush();
            SpinWait.SpinUntil(() => Printed().Split('\n').Any(l => l.Trim() == line) || process.HasExited, 60_000);
        }

        process.StandardInput.Close();
        if (!process.WaitForExit(60_000))
            process.Kill();
        process.WaitForExit();
        return Printed();

        string Printed()
        {
            lock (output)
                return output.ToString();
        }
    }
}

using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using k8s;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Testing;

namespace NodeMesh.ApiServer.Tests.Clusters;

/// <summary>
/// kube-apiserver with an etcd of its own, on free ports of the loopback, in a folder that goes with them. Flags by the references of the two programs
/// (kube-apiserver of 1.30 and later; etcd of 3.4 and later).
/// </summary>
internal sealed class ControlPlane : ICluster
{
    private const string Issuer = "https://kubernetes.default.svc.cluster.local";
    private static readonly TimeSpan s_start = TimeSpan.FromMinutes(3);

    private readonly string _folder = Directory.CreateTempSubdirectory("nmapi-").FullName;
    private readonly Authority _authority = new();
    private readonly (string Certificate, string Key) _admin;
    private readonly LastWill _will;
    private readonly string _apiServer;
    private readonly string[] _flags;
    private readonly int _port = FreePort.Next();
    private readonly string _store;
    private readonly ChildProcess _etcd;
    private ChildProcess _server;

    /// <param name="apiServer">The kube-apiserver program.</param>
    /// <param name="etcd">The etcd program.</param>
    public ControlPlane(string apiServer, string etcd)
    {
        _will = new LastWill(_folder);
        _apiServer = apiServer;
        _store = Url("http", FreePort.Next());
        var peers = Url("http", FreePort.Next());
        _admin = _authority.Issue("CN=nodemesh-test, O=system:masters", isServer: false);
        var serving = _authority.Issue("CN=kube-apiserver", isServer: true);
        using var accounts = RSA.Create(2048);
        _flags =
        [
            $"--etcd-servers={_store}",
            $"--secure-port={_port.ToString(CultureInfo.InvariantCulture)}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",

            // Nobody looks for it at the Service default/kubernetes, whose endpoint an address of the loopback cannot be.
            "--endpoint-reconciler-type=none",
            $"--cert-dir={_folder}",
            $"--tls-cert-file={Write("serving.crt", serving.Certificate)}",
            $"--tls-private-key-file={Write("serving.key", serving.Key)}",
            $"--client-ca-file={Write("ca.crt", _authority.Pem)}",
            $"--service-account-issuer={Issuer}",
            $"--service-account-key-file={Write("accounts.pub", accounts.ExportSubjectPublicKeyInfoPem())}",
            $"--service-account-signing-key-file={Write("accounts.key", accounts.ExportRSAPrivateKeyPem())}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",

            // No controller makes the default account that a Pod would need.
            "--disable-admission-plugins=ServiceAccount",
        ];
        try
        {
            _etcd = Start("etcd", etcd,
            [
                "--name=default", $"--data-dir={Path.Combine(_folder, "etcd")}", $"--listen-client-urls={_store}", $"--advertise-client-urls={_store}",
                $"--listen-peer-urls={peers}", $"--initial-advertise-peer-urls={peers}", $"--initial-cluster=default={peers}",
            ]);
            using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
            Await("etcd", _etcd, client, $"{_store}/health");
            _server = StartServer();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public KubernetesClientConfiguration Admin
    {
        get
        {
            var admin = Nobody;
            admin.ClientCertificateData = Base64(_admin.Certificate);
            admin.ClientCertificateKeyData = Base64(_admin.Key);
            return admin;
        }
    }

    public KubernetesClientConfiguration Nobody => new() { Host = Url("https", _port), SslCaCerts = [X509Certificate2.CreateFromPem(_authority.Pem)] };

    public string Log => $"{Tail("kube-apiserver", _server)}\n{Tail("etcd", _etcd)}";

    public string Folder => _folder;

    public IReadOnlyList<int> Pids => [_etcd.Pid, _server.Pid];

    public void Kill()
    {
        _server.KillAtOnce();
        _will.Forget("kube-apiserver");
    }

    public void StartAgain()
    {
        _server.Dispose();
        _server = StartServer();
    }

    /// <summary>By etcd's JSON gateway: up to its newest revision.</summary>
    public void Compact()
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        var status = Ask("/v3/maintenance/status", []);
        var revision = (string?)status["header"]?["revision"] ?? throw new InvalidOperationException($"etcd says no revision: {status.ToJsonString()}");
        Ask("/v3/kv/compaction", new JsonObject { ["revision"] = revision });

        JsonObject Ask(string path, JsonObject body)
        {
            using var response = client.Send(new HttpRequestMessage(HttpMethod.Post, _store + path) { Content = new StringContent(body.ToJsonString()) });
            using var reader = new StreamReader(response.Content.ReadAsStream());
            var text = reader.ReadToEnd();

            // To compact twice at one revision is refused, and as good.
            return response.IsSuccessStatusCode || text.Contains("has been compacted", StringComparison.Ordinal) ? (JsonObject)JsonNode.Parse(text)! : throw new InvalidOperationException($"etcd {path}: {text}");
        }
    }

    public void Dispose()
    {
        _server?.Dispose();
        _will.Forget("kube-apiserver");
        _etcd?.Dispose();
        _will.Forget("etcd");
        _will.Dispose();
        _authority.Dispose();
    }

    private ChildProcess StartServer()
    {
        var server = Start("kube-apiserver", _apiServer, _flags);
        using var client = ApiServerHttp.Client(Admin, Nobody.SslCaCerts);
        client.Timeout = TimeSpan.FromSeconds(10);
        Await("kube-apiserver", server, client, $"{Url("https", _port)}/readyz");
        return server;
    }

    private ChildProcess Start(string name, string program, IEnumerable<string> flags)
    {
        var process = ChildProcess.Start(program, flags);
        _will.Remember(name, process.Pid);
        return process;
    }

    private static void Await(string name, ChildProcess process, HttpClient client, string url)
    {
        var why = "";
        try
        {
            Eventually.True(Answers, $"{name} is ready", s_start);
        }
        catch (TimeoutException e)
        {
            throw new InvalidOperationException($"{e.Message}: {why}\n{Tail(name, process)}", e);
        }

        bool Answers()
        {
            if (process.HasExited)
                throw new InvalidOperationException($"{name} ended with exit code {process.ExitCode}\n{Tail(name, process)}");
            try
            {
                using var response = client.Send(new HttpRequestMessage(HttpMethod.Get, url));
                why = $"{(int)response.StatusCode}";
                if (response.IsSuccessStatusCode)
                    return true;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                why = e.Message;
            }

            Thread.Sleep(100);
            return false;
        }
    }

    private static string Tail(string name, ChildProcess? process) => process is null ? "" : $"-- the last of {name}:\n{string.Join('\n', process.Output.Split('\n').TakeLast(60))}";

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static string Url(string scheme, int port) => string.Create(CultureInfo.InvariantCulture, $"{scheme}://127.0.0.1:{port}");

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}

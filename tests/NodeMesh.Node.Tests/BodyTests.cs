using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Bodies from nothing to a gibibyte, both ways, byte for byte, while the agent's memory stays flat.</summary>
public sealed class BodyTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private string _files = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        var server = _box.AddPod("server");
        _files = Path.Combine(_box.WorkDir, "files");
        server.Netns.StartNginx(_files, $"  server {{ listen 80; root {_files}; dav_methods PUT; create_full_put_path on; }}");
        _box.WriteConfig("svc.yaml", Manifests.Service("files", "app: server", "10.96.0.10", "http:80:80"));
        _box.WriteConfig("route.yaml", Manifests.Route("files", "files", "files", 80));
        _agent = _box.StartAgent().MustBeReady();
        Eventually.True(() => _client.Netns.Curl("http://10.96.0.10/nginx.conf").Status == 200, "the file server answers");
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [TestCase("0")]
    [TestCase("1")]
    [TestCase("65536")]
    [TestCase("10000019")]
    [TestCase("1G")]
    public void A_body_arrives_byte_for_byte_both_ways_with_flat_memory(string size)
    {
        var source = Path.Combine(_box.WorkDir, "source");
        Shell.Script($"head -c {size} /dev/urandom > {source}", TimeSpan.FromMinutes(1)).MustSucceed("making the body");
        var before = _agent.ResidentBytes;

        // Content-Length up, then chunked up (curl reads from a pipe), then Content-Length down.
        var timeout = TimeSpan.FromMinutes(2);
        _client.Netns.Run(["curl", "-sSf", "-T", source, "http://10.96.0.10/sized"], timeout).MustSucceed("upload with a length");
        _client.Netns.Run(["sh", "-c", $"cat {source} | curl -sSf -T - http://10.96.0.10/chunked"], timeout).MustSucceed("chunked upload");
        _client.Netns.Run(["curl", "-sSf", "-o", source + ".back", "http://10.96.0.10/sized"], timeout).MustSucceed("download");

        var sums = Shell.Run("sha256sum", [source, Path.Combine(_files, "sized"), Path.Combine(_files, "chunked"), source + ".back"], TimeSpan.FromMinutes(1))
            .Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ')[0]).ToArray();
        Assert.That(sums, Has.Length.EqualTo(4));
        Assert.That(sums.Distinct().Count(), Is.EqualTo(1), string.Join('\n', sums));
        Assert.That(_agent.ResidentBytes - before, Is.LessThan(16 << 20), "resident memory grew");
    }
}

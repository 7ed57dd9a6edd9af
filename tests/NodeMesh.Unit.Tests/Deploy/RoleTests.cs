using System.Diagnostics;
using NodeMesh.Sources;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Testing.ApiServer;
using static NodeMesh.Unit.Tests.Deploy.Manifest;

namespace NodeMesh.Unit.Tests.Deploy;

/// <summary>The role of deploy/ lets the agent read what it asks for, and nothing else. What it writes is compared by StatusTests.</summary>
public sealed class RoleTests
{
    private static readonly string[] s_reads = ["get", "list", "watch"];
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Test]
    public async Task What_may_be_read_is_what_is_asked_for()
    {
        var allowed = Granted("ClusterRole").Where(rule => s_reads.Contains(rule.Split(' ')[0])).ToHashSet();
        var asked = new HashSet<string>();

        // A server of today streams what there is; one before Kubernetes 1.32 is asked for lists.
        foreach (var streams in new[] { true, false })
            asked.UnionWith(await AskedAsync(streams, until: streams ? [] : allowed));
        Assert.That(asked, Is.EquivalentTo(allowed));
    }

    private static async Task<HashSet<string>> AskedAsync(bool streams, HashSet<string> until)
    {
        string[] resources = [.. Resource.All.Append(Resource.Secrets).Select(r => r.Kind.Group.Length > 0 ? $"{r.Kind.Group}/{r.Plural}" : r.Plural), "apiextensions.k8s.io/customresourcedefinitions"];
        await using var server = await InProcessApiServer.StartAsync(resources);
        server.StreamsLists = streams;
        server.Put("namespaces", """{"metadata":{"name":"shop"}}""");
        server.Put("gateway.networking.k8s.io/gatewayclasses", """{"metadata":{"name":"nodemesh"},"spec":{"controllerName":"nodemesh.io/gateway-controller"}}""");
        server.Put("gateway.networking.k8s.io/gateways", """
            {"metadata":{"name":"edge","namespace":"shop"},"spec":{"gatewayClassName":"nodemesh","listeners":
             [{"name":"https","port":443,"protocol":"HTTPS","tls":{"certificateRefs":[{"name":"cert"}]}}]}}
            """);
        using var stop = new CancellationTokenSource();
        using var source = new KubernetesSource(new ApiServerAccess(server.Client()), new MeshWorld(1).Events);
        var running = source.RunAsync(stop.Token);
        var clock = Stopwatch.StartNew();
        HashSet<string> asked;
        do
        {
            await Task.Delay(10);
            asked = [.. server.Requests.Select(r => $"{r.Verb} {r.Resource}")];
        }
        while (clock.Elapsed < s_limit && !(asked.IsSupersetOf(until) && resources.All(r => asked.Contains($"watch {r}"))));
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return asked;
    }
}

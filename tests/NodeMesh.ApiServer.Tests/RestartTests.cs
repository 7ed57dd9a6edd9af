using NodeMesh.Model;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.ApiServer.Tests;

/// <summary>The server goes and comes again.</summary>
internal sealed class RestartTests : ClusterTests
{
    private static Api Admin => TheCluster.Admin;

    [Test]
    public void The_last_state_stays_and_then_goes_on_without_a_dip()
    {
        var ns = TheCluster.Namespace();
        for (var i = 0; i < 20; i++)
        {
            Admin.Apply(SourceTests.Pod(ns, $"web-{i}"));
            SourceTests.Run(ns, $"web-{i}", $"10.1.1.{i + 1}");
        }

        using var agent = new ApiAgent(TheCluster.AgentsAccount());
        agent.Until(m => Count(m) == 20, "all pods are heard");
        var least = int.MaxValue;
        agent.Each = m => Interlocked.Exchange(ref least, Math.Min(least, Count(m)));
        TheCluster.Cluster.Kill();
        Testing.Eventually.True(() => agent.State.Troubles.Count > 0, "the agent says that nobody answers", TimeSpan.FromMinutes(2));
        Assert.That((Count(agent.Mesh), agent.State.IsSynced), Is.EqualTo((20, true)));

        TheCluster.Cluster.StartAgain();
        Admin.Delete($"/api/v1/namespaces/{ns}/pods/web-0");
        Admin.Apply(SourceTests.Pod(ns, "web-new"));
        SourceTests.Run(ns, "web-new", "10.1.2.1");
        agent.Until(m => m.Workloads.Any(w => w.Name == new ObjectName(ns, "web-new") && w.Ready) && m.Workloads.All(w => w.Name != new ObjectName(ns, "web-0")), "what happened meanwhile is heard");
        Testing.Eventually.True(() => agent.State.Troubles.Count == 0, "all is followed again", TimeSpan.FromMinutes(3));
        Assert.That(Volatile.Read(ref least), Is.GreaterThanOrEqualTo(19), "nothing else was missing in between");

        int Count(MeshSnapshot mesh) => mesh.Workloads.Count(w => w.Name.Namespace == ns);
    }
}

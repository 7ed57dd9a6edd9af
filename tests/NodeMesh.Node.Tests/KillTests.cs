using System.Diagnostics;
using System.Globalization;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;
using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>SIGKILL while a plan's rows are being written. (NodeMesh.Bpf.Tests/Datapath/Cuts cuts between any two of them; here the process really dies.)</summary>
public sealed class KillTests
{
    private const int RemotePods = 2000;

    // On a busy machine a plan may be through before it is seen.
    private const int MostSteps = 40;

    private NodeBox _box = null!;
    private PodBox[] _clients = [];
    private PodBox _server = null!;

    [SetUp]
    public void MakeNode()
    {
        _box = new NodeBox();
        _clients = [.. new[] { "always", "never", "odd", "even" }.Select(n => _box.AddPod(n))];
        _server = _box.AddServer("server");
        _box.WriteConfig("remote.yaml", string.Join("\n---\n", Enumerable.Range(0, RemotePods).Select(i => string.Create(CultureInfo.InvariantCulture, $$"""
            apiVersion: v1
            kind: Pod
            metadata: { name: remote-{{i}}, namespace: default, labels: { app: remote, n: "{{i}}" } }
            spec: { nodeName: far, containers: [ { name: c } ] }
            status: { podIPs: [ { ip: 10.245.{{i / 250}}.{{(i % 250) + 1}} } ], conditions: [ { type: Ready, status: "True" } ] }
            """))));
        WritePolicy(0);
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, null);

    [Test]
    public void Whenever_it_dies_nothing_opens_that_both_plans_refuse_and_the_next_agent_makes_it_the_new_plan()
    {
        var midway = 0;
        var agent = _box.StartAgent().MustBeReady();
        try
        {
            for (var step = 1; step <= 5 || (midway == 0 && step <= MostSteps); step++)
            {
                AssertWays(step - 1, step - 1);
                midway += KillInTheMiddle(agent, step, TimeSpan.FromMilliseconds(0.5 * ((step - 1) % 5))) ? 1 : 0;
                AssertWays(step - 1, step);

                agent.Dispose();
                agent = _box.StartAgent().MustBeReady();
                AssertWays(step, step);
            }

            Assert.That(midway, Is.GreaterThan(0), "it died on the way at least once");
            agent.Kill();
            agent.Dispose();
            agent = _box.StartAgent().MustBeReady();
            Assert.That(agent.Metric("nodemesh_datapath_writes_total"), Is.Zero, $"nothing is left over and nothing is missing\n{agent.Log}");
        }
        finally
        {
            agent.Dispose();
        }
    }

    /// <summary>Another peer, and another block around every remote pod, which all become others to policy.</summary>
    private void WritePolicy(int step) => _box.WriteConfig("policy.yaml", string.Create(CultureInfo.InvariantCulture, $$"""
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: { name: clients, namespace: default }
        spec:
          podSelector: { matchLabels: { app: server } }
          ingress:
          - from:
            - podSelector: { matchLabels: { app: always } }
            - podSelector: { matchLabels: { app: {{(step % 2 == 0 ? "even" : "odd")}} } }
            - ipBlock: { cidr: 10.245.0.0/{{(step % 2 == 0 ? 16 : 20)}} }
        """));

    /// <summary>Kills it once it has begun with the policy of this step.</summary>
    /// <returns>Whether the plan was on its way, as the kernel had it, when the agent was dead.</returns>
    private bool KillInTheMiddle(AgentProcess agent, int step, TimeSpan after)
    {
        using var map = new BpfMap<uint, EpochEntry>(MapFacts.OpenPinned(Directory.GetDirectories($"{_box.Bpffs}/nodemesh").Single() + "/maps/nm_epoch")!, "nm_epoch");
        Assert.That(map.TryGet(0, out var before));
        WritePolicy(step);
        var limit = Stopwatch.StartNew();
        var now = before;
        while (now.Epoch == before.Epoch && now.Applying == 0 && limit.Elapsed < TimeSpan.FromSeconds(60))
            map.TryGet(0, out now);
        for (var wait = Stopwatch.StartNew(); wait.Elapsed < after;)
            Thread.SpinWait(10);
        agent.KillAtOnce();
        Assert.That(map.TryGet(0, out now));
        Assert.That((now.Epoch, now.Applying), Is.Not.EqualTo((before.Epoch, before.Applying)), "the plan was begun");
        return now.Applying != 0;
    }

    /// <summary>What both plans allow is open, what both refuse is not.</summary>
    private void AssertWays(int before, int after)
    {
        foreach (var client in _clients)
        {
            bool Allowed(int step) => client.Name == "always" || client.Name == (step % 2 == 0 ? "even" : "odd");
            if (Allowed(before) != Allowed(after))
                continue;
            var answer = client.Netns.Curl($"http://{_server.Address}/", "-m", Allowed(after) ? "10" : "0.5");
            Assert.That(answer.Status == 200, Is.EqualTo(Allowed(after)), $"{client.Name} between {before} and {after}: {answer}");
        }
    }
}

using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Unit.Tests.Compiler;

/// <summary>Who is who and who may do what, compiled change by change or at once.</summary>
public sealed class PolicyChangeTests
{
    [Test]
    public void Any_sequence_of_changes_gives_the_plan_of_compiling_at_once([Range(1, 80)] int seed)
    {
        var random = new Random(seed);
        var meshes = new RandomMesh(random);
        var (mesh, node) = (meshes.Next(), RandomMesh.Node);
        var plan = MeshCompiler.Compile(mesh, node);
        for (var step = 0; step < 15; step++)
        {
            for (var i = random.Next(3); i >= 0; i--)
                mesh = Change(mesh, meshes.Next(), random);
            if (random.Next(8) == 0)
                node = node with { Addresses = [IpAddr.Parse($"192.168.0.{random.Next(1, 4)}")] };
            mesh = mesh with { Revision = mesh.Revision + 1 };
            plan = MeshCompiler.Compile(mesh, node, plan);
            AssertSame(MeshCompiler.Compile(mesh, node), plan, $"seed {seed}, step {step}");
        }
    }

    [Test]
    public void A_changed_pod_leaves_the_identities_of_others_alone()
    {
        var mesh = new RandomMesh(new Random(3)).Next();
        var plan = MeshCompiler.Compile(mesh, RandomMesh.Node);
        var pod = mesh.Workloads[2];
        var other = MeshCompiler.Compile(mesh with { Workloads = mesh.Workloads.SetItem(2, pod with { Labels = pod.Labels.Add("new", "label") }) }, RandomMesh.Node, plan);
        var changed = new List<IdentityKey>();
        RowTable<IdentityKey, IdentityEntry>.AddDifference(plan.Kernel.Identities, other.Kernel.Identities, changed);
        Assert.That(changed.Select(k => k.Addr.ToIpAddr()), Is.EquivalentTo(pod.Addresses));

        var back = MeshCompiler.Compile(mesh, RandomMesh.Node, other);
        Assert.That(PlanText.Of(back), Is.EqualTo(PlanText.Of(plan)));
    }

    private static MeshSnapshot Change(MeshSnapshot mesh, MeshSnapshot other, Random random)
    {
        var at = random.Next(mesh.Workloads.Length + 1);
        var pod = at < mesh.Workloads.Length ? mesh.Workloads[at] : null;
        return random.Next(12) switch
        {
            0 or 1 => WithPod(mesh, other.Workloads[random.Next(other.Workloads.Length)]),
            2 when pod is not null && mesh.Workloads.Length > 2 => mesh with { Workloads = mesh.Workloads.Remove(pod) },
            3 when pod is not null => WithPod(mesh, pod with { Labels = other.Workloads[0].Labels }),
            4 when pod is not null => WithPod(mesh, pod with { Ready = !pod.Ready, Ports = other.Workloads[0].Ports }),
            5 when pod is not null => WithPod(mesh, pod with { HostNetwork = !pod.HostNetwork }),

            // Sources would leave one of the two out.
            6 when pod is not null => WithPod(mesh, pod with { Addresses = mesh.Workloads[0].Addresses, Terminating = random.Next(2) == 0 }),
            7 when mesh.Policies.Length > 0 => mesh with { Policies = mesh.Policies.RemoveAt(random.Next(mesh.Policies.Length)) },
            8 => mesh with { Namespaces = mesh.Namespaces.SetItem(0, other.Namespaces[0]) },
            9 => mesh with { Nodes = random.Next(2) == 0 ? other.Nodes : [other.Nodes[0]] },
            _ => other.Policies.Length == 0 ? mesh with { Policies = [] } : WithPolicy(mesh, other.Policies[random.Next(other.Policies.Length)]),
        };
    }

    /// <summary>In place of the one of that number, whose namespace may be another.</summary>
    private static MeshSnapshot WithPod(MeshSnapshot mesh, Workload pod) =>
        mesh with { Workloads = [.. mesh.Workloads.Where(w => w.Name.Name != pod.Name.Name).Append(pod).OrderBy(w => w.Name)] };

    private static MeshSnapshot WithPolicy(MeshSnapshot mesh, Policy policy) =>
        mesh with { Policies = [.. mesh.Policies.Where(p => p.Ref != policy.Ref).Append(policy).OrderBy(p => p.Name).ThenBy(p => p.Kind)] };

    private static void AssertSame(MeshPlan expected, MeshPlan actual, string when) => Assert.Multiple(() =>
    {
        Assert.That(actual.Kernel.Identities, Is.EquivalentTo(expected.Kernel.Identities), when);
        Assert.That(actual.Kernel.PeerGroups, Is.EquivalentTo(expected.Kernel.PeerGroups), when);
        Assert.That(actual.Kernel.Classes, Is.EquivalentTo(expected.Kernel.Classes), when);
        Assert.That(actual.Kernel.Verdicts, Is.EquivalentTo(expected.Kernel.Verdicts), when);
        Assert.That(actual.Names.Identities, Is.EqualTo(expected.Names.Identities), when);
        Assert.That(actual.Names.PolicySets, Is.EqualTo(expected.Names.PolicySets), when);
        Assert.That(PlanText.Of(actual), Is.EqualTo(PlanText.Of(expected)), when);
    });
}

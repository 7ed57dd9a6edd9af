using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Unit.Tests.Compiler;

/// <summary>Compiled rows say what the policies say. NODEMESH_SEED repeats a failure.</summary>
public sealed class PolicyPropertyTests
{
    private const int Cases = 2000;

    [Test]
    public void Compiled_rows_judge_every_connection_as_the_policies_do()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("NODEMESH_SEED"), out var given) ? given : 20261124;
        for (var n = 0; n < Cases; n++)
        {
            var random = new Random(seed + n);
            var mesh = new RandomMesh(random).Next();
            var ports = random.GetItems(RandomMesh.Ports, 5);
            if (FirstDifference(mesh, ports) is null)
                continue;
            var small = Shrink(mesh, ports);
            Assert.Fail($"seed {seed + n}: {FirstDifference(small, ports)}\n{Describe(small)}");
        }
    }

    private static string? FirstDifference(MeshSnapshot mesh, ushort[] ports)
    {
        var plan = MeshCompiler.Compile(mesh, RandomMesh.Node);
        var plain = new PlainPolicyJudge(mesh, RandomMesh.Node);
        var peers = mesh.Workloads.SelectMany(w => w.Addresses).Concat(RandomMesh.Outside).Select(a => (Address: a, Identity: PolicyJudge.IdentityOf(plan.Proxy.Policy, a))).ToList();
        foreach (var endpoint in plan.Kernel.Endpoints)
        {
            var subject = mesh.Workloads.First(w => w.Name == endpoint.Name);
            foreach (var direction in new[] { Direction.Ingress, Direction.Egress })
                foreach (var peer in peers)
                    foreach (var protocol in new[] { Protocol.Tcp, Protocol.Udp })
                        foreach (var port in ports)
                        {
                            var verdict = PolicyJudge.Judge(plan.Proxy.Policy, endpoint.PolicySet, direction, peer.Identity, protocol, port, out var http);
                            foreach (var method in RandomMesh.Methods)
                            {
                                var expected = plain.Judge(subject, direction, peer.Address, protocol, port, method);
                                var actual = Actual(verdict, http, method);
                                if (expected != actual)
                                    return $"{subject.Name} {direction} {peer.Address} {protocol} {port} {method}: expected {expected}, got {actual} ({verdict})";
                            }
                        }
        }

        return null;
    }

    private static Outcome? Actual(Verdict verdict, HttpPolicyPlan? http, string method) => verdict switch
    {
        Verdict.Allow => Outcome.Allow,
        Verdict.Deny => Outcome.Deny,
        Verdict.DefaultDeny => Outcome.DefaultDeny,
        Verdict.Redirect when http!.Deny.Any(r => r.Match.Methods.Contains(method)) => Outcome.RequestRefused,
        Verdict.Redirect when http!.AllowAll || http.Allow.Any(r => r.Match.Methods.Contains(method)) => Outcome.Allow,
        Verdict.Redirect => Outcome.RequestRefused,
        _ => null,
    };

    // Leaves out policies, then rules, as long as the difference stays.
    private static MeshSnapshot Shrink(MeshSnapshot mesh, ushort[] ports)
    {
        for (var i = mesh.Policies.Length - 1; i >= 0; i--)
        {
            var less = mesh with { Policies = mesh.Policies.RemoveAt(i) };
            if (FirstDifference(less, ports) is not null)
                mesh = less;
        }

        for (var i = 0; i < mesh.Policies.Length; i++)
        {
            mesh = ShrinkRules(mesh, ports, i, p => p.Ingress.Length, (p, r) => p with { Ingress = p.Ingress.RemoveAt(r) });
            mesh = ShrinkRules(mesh, ports, i, p => p.Egress.Length, (p, r) => p with { Egress = p.Egress.RemoveAt(r) });
        }

        return mesh;
    }

    private static MeshSnapshot ShrinkRules(MeshSnapshot mesh, ushort[] ports, int policy, Func<Policy, int> count, Func<Policy, int, Policy> without)
    {
        for (var r = count(mesh.Policies[policy]) - 1; r >= 0; r--)
        {
            var less = mesh with { Policies = mesh.Policies.SetItem(policy, without(mesh.Policies[policy], r)) };
            if (FirstDifference(less, ports) is not null)
                mesh = less;
        }

        return mesh;
    }

    private static string Describe(MeshSnapshot mesh)
    {
        var policies = mesh.Policies.Select(p => $"{p.Ref} subject [{p.Subject}] isolates {p.IsolatesIngress}/{p.IsolatesEgress}"
            + string.Concat(p.Ingress.Select(r => $"\n  in {Describe(r)}")) + string.Concat(p.Egress.Select(r => $"\n  out {Describe(r)}")));
        var pods = mesh.Workloads.Select(w => $"{w.Name} {string.Join(",", w.Labels)} {string.Join(",", w.Addresses)} {string.Join(",", w.Ports)}");
        return $"{string.Join('\n', policies)}\n{string.Join('\n', pods)}\n{PlanText.Of(MeshCompiler.Compile(mesh, RandomMesh.Node))}";
    }

    private static string Describe(PolicyRule rule) =>
        $"{rule.Action} peers {string.Join(" | ", rule.Peers.Select(CanonicalText.Of))} ports {string.Join(" | ", rule.Ports)} {string.Join(" | ", rule.Http.Select(CanonicalText.Of))}";
}

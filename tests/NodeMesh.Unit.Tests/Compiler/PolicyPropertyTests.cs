using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Unit.Tests.Compiler;

/// <summary>Compiled rows say what the policies say. NODEMESH_SEED repeats a failure.</summary>
public sealed class PolicyPropertyTests
{
    private const int Cases = 1200;

    [Test]
    public void Compiled_rows_judge_every_connection_as_the_policies_do() => Hold(RandomMesh.Node, Cases);

    [Test]
    public void A_node_that_audits_lets_everything_pass_and_says_what_it_would_have_refused() => Hold(RandomMesh.Node with { AuditsPolicies = true }, Cases / 4);

    private static void Hold(NodeFacts node, int cases)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("NODEMESH_SEED"), out var given) ? given : 20261124;
        for (var n = 0; n < cases; n++)
        {
            var random = new Random(seed + n);
            var mesh = new RandomMesh(random).Next();
            var ports = random.GetItems(RandomMesh.Ports, 5);
            if (FirstDifference(mesh, node, ports) is null)
                continue;
            var small = Shrink(mesh, m => FirstDifference(m, node, ports) is not null);
            Assert.Fail($"seed {seed + n}: {FirstDifference(small, node, ports)}\n{Describe(small, node)}");
        }
    }

    private static string? FirstDifference(MeshSnapshot mesh, NodeFacts node, ushort[] ports)
    {
        var plan = MeshCompiler.Compile(mesh, node);
        var plain = new PlainPolicyJudge(mesh, node);
        var peers = mesh.Workloads.SelectMany(w => w.Addresses).Concat(RandomMesh.Outside).Select(a => (Address: a, Identity: PolicyJudge.IdentityOf(plan.Proxy.Policy, a))).ToList();
        foreach (var endpoint in plan.Kernel.Endpoints)
        {
            var subject = mesh.Workloads.First(w => w.Name == endpoint.Name);
            foreach (var direction in new[] { Direction.Ingress, Direction.Egress })
                foreach (var peer in peers)
                    foreach (var (protocol, port) in Connections(ports))
                    {
                        var row = Row(plan, endpoint.PolicySet, direction, peer.Identity, protocol, port);
                        foreach (var method in protocol == Protocol.Tcp ? RandomMesh.Methods : [""])
                        {
                            var expected = plain.Judge(new Attempt(subject, direction, peer.Address, protocol, port, method));
                            if (!row.Says(expected, method))
                                return $"{subject.Name} {direction} {peer.Address} {protocol} {port} {method}: expected {expected}, got {row}";
                        }
                    }
        }

        return null;
    }

    private static IEnumerable<(Protocol, ushort)> Connections(ushort[] ports) =>
        ports.SelectMany(p => new[] { (Protocol.Tcp, p), (Protocol.Udp, p) })
            .Concat(RandomMesh.IcmpTypes.Select(t => (Protocol.Icmp, t)))
            .Concat(RandomMesh.Bare.Select(p => (p, (ushort)0)));

    private static CompiledRow Row(MeshPlan plan, uint set, Direction direction, uint peer, Protocol protocol, ushort port)
    {
        if (set == 0)
            return new CompiledRow(Verdict.Allow, null, Verdict.None, null);
        if (PolicyJudge.Find(plan.Proxy.Policy, set, direction, peer, protocol, port) is not { } row)
            return new CompiledRow(Verdict.None, null, Verdict.None, null);
        var entry = row.Value;
        return new CompiledRow((Verdict)entry.Verdict, entry.Rule == 0 ? null : plan.Names.Rules[entry.Rule], (Verdict)entry.Audit,
            plan.Proxy.Policy.Http.GetValueOrDefault(row.Key));
    }

    private sealed record CompiledRow(Verdict Verdict, string? Rule, Verdict Audit, HttpPolicyPlan? Http)
    {
        public bool Says(Expected expected, string method)
        {
            var outcome = Outcome(Verdict, Http, method);
            if (outcome != expected.Outcome || (Verdict != Verdict.Redirect && Rule != expected.Rule))
                return false;
            if (outcome != Compiler.Outcome.Allow)
                return true;
            var audit = Audit != Verdict.None ? Outcome(Audit, null, method)
                : Http?.Audit is { } would && Outcome(Verdict.Redirect, would, method) != Compiler.Outcome.Allow ? Compiler.Outcome.RequestRefused
                : (Outcome?)null;
            return audit == expected.Audit;
        }

        private static Outcome? Outcome(Verdict verdict, HttpPolicyPlan? http, string method) => verdict switch
        {
            Verdict.Allow => Compiler.Outcome.Allow,
            Verdict.Deny => Compiler.Outcome.Deny,
            Verdict.DefaultDeny => Compiler.Outcome.DefaultDeny,
            Verdict.Redirect when http!.Deny.Any(r => r.Match.Methods.Contains(method)) => Compiler.Outcome.RequestRefused,
            Verdict.Redirect when http!.AllowAll || http.Allow.Any(r => r.Match.Methods.Contains(method)) => Compiler.Outcome.Allow,
            Verdict.Redirect => Compiler.Outcome.RequestRefused,
            _ => null,
        };
    }

    // Leaves out policies, then rules, as long as the difference stays.
    private static MeshSnapshot Shrink(MeshSnapshot mesh, Func<MeshSnapshot, bool> fails)
    {
        for (var i = mesh.Policies.Length - 1; i >= 0; i--)
        {
            var less = mesh with { Policies = mesh.Policies.RemoveAt(i) };
            if (fails(less))
                mesh = less;
        }

        for (var i = 0; i < mesh.Policies.Length; i++)
        {
            mesh = ShrinkRules(mesh, fails, i, p => p.Ingress.Length, (p, r) => p with { Ingress = p.Ingress.RemoveAt(r) });
            mesh = ShrinkRules(mesh, fails, i, p => p.Egress.Length, (p, r) => p with { Egress = p.Egress.RemoveAt(r) });
        }

        return mesh;
    }

    private static MeshSnapshot ShrinkRules(MeshSnapshot mesh, Func<MeshSnapshot, bool> fails, int policy, Func<Policy, int> count, Func<Policy, int, Policy> without)
    {
        for (var r = count(mesh.Policies[policy]) - 1; r >= 0; r--)
        {
            var less = mesh with { Policies = mesh.Policies.SetItem(policy, without(mesh.Policies[policy], r)) };
            if (fails(less))
                mesh = less;
        }

        return mesh;
    }

    private static string Describe(MeshSnapshot mesh, NodeFacts node)
    {
        var policies = mesh.Policies.Select(p => $"{p.Ref} {p.Tier} {p.Priority}{(p.IsAudit ? " audit" : "")} subject [{p.Subject}] in {CanonicalText.Of(p.Namespaces)} isolates {p.IsolatesIngress}/{p.IsolatesEgress}"
            + string.Concat(p.Ingress.Select(r => $"\n  in {Describe(r)}")) + string.Concat(p.Egress.Select(r => $"\n  out {Describe(r)}")));
        var pods = mesh.Workloads.Select(w => $"{w.Name} {string.Join(",", w.Labels)} {string.Join(",", w.Addresses)} {string.Join(",", w.Ports)}");
        return $"{string.Join('\n', policies)}\n{string.Join('\n', pods)}\n{PlanText.Of(MeshCompiler.Compile(mesh, node))}";
    }

    private static string Describe(PolicyRule rule) =>
        $"{rule.Name} {rule.Action} peers {string.Join(" | ", rule.Peers.Select(CanonicalText.Of))} services {string.Join(" | ", rule.Services)} ports {string.Join(" | ", rule.Ports)} {string.Join(" | ", rule.Http.Select(CanonicalText.Of))}";
}

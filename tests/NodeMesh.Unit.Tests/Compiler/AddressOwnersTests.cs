using System.Collections.Immutable;
using NodeMesh.Compiler;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Compiler;

/// <summary>Whose an address is that more than one pod is said to have.</summary>
public sealed class AddressOwnersTests
{
    private static readonly NodeFacts s_node = new("n1", [], []);

    [TestCase(false, false, "a", TestName = "Of two that are said to have it, the first by name")]
    [TestCase(true, false, "b", TestName = "One that the runtime told of has it, and not one of which the API says so since before the node started anew")]
    [TestCase(false, true, "b", TestName = "One that stays has it, and not one on its way out")]
    public void An_address_is_one_pods(bool isToldOfB, bool isAEnding, string owner)
    {
        var a = Pod("a") with { Terminating = isAEnding };
        var b = Pod("b");
        if (isToldOfB)
            b = b with { Attachment = b.Attachment with { Sandbox = "/run/netns/b" } };
        var mesh = MeshSnapshot.Empty with { Revision = 1, Workloads = [a, b] };

        // Both at once, and one after the other.
        var first = MeshCompiler.Compile(mesh with { Workloads = [a] }, s_node);
        foreach (var plan in new[] { MeshCompiler.Compile(mesh, s_node), MeshCompiler.Compile(mesh with { Revision = 2 }, s_node, first) })
            Assert.That(plan.Kernel.Endpoints.Where(e => e.Addresses.Length > 0).Select(e => e.Name.Name), Is.EqualTo(new[] { owner }));
    }

    private static Workload Pod(string name) => new(
        new ObjectName("shop", name), ImmutableSortedDictionary<string, string>.Empty, [IpAddr.Parse("10.0.0.5")], [], "n1", false, true, false, new Attachment(name, ""));
}

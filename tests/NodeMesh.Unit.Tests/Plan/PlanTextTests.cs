using System.Text;
using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Unit.Tests.Plan;

public sealed class PlanTextTests
{
    [Test]
    public void A_private_key_is_never_shown()
    {
        var secret = Encoding.ASCII.GetBytes("the-private-key");
        var certificate = new Certificate(new ObjectName("edge", "web"), new SensitiveBytes("chain"u8.ToArray()), new SensitiveBytes(secret), "abcdef0123456789", DateTimeOffset.UnixEpoch);
        var listener = new GatewayListener("https", ListenerProtocol.Https, 443, null, [certificate.Name], new NamespaceMatch("edge", null));
        var mesh = MeshSnapshot.Empty with { Gateways = [new Gateway(new ObjectName("edge", "web"), [], [listener])], Certificates = [certificate] };

        var text = PlanText.Of(MeshCompiler.Compile(mesh, new NodeFacts("here", [], [])));

        Assert.That(text, Does.Contain("certificate edge/web abcdef012345, valid until 1970-01-01"));
        Assert.That(text, Does.Not.Contain("the-private-key").And.Not.Contain(Convert.ToBase64String(secret)));
    }

    [Test]
    public void An_empty_plan_says_so() => Assert.That(PlanText.Of(MeshPlan.Empty), Is.EqualTo("(empty)\n"));
}

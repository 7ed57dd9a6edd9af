using NodeMesh.Compiler.Gateways;

namespace NodeMesh.Unit.Tests.Compiler;

public sealed class HostnamesTests
{
    [TestCase("*", "*", ExpectedResult = "*")]
    [TestCase("*", "a.com", ExpectedResult = "a.com")]
    [TestCase("*.a.com", "b.a.com", ExpectedResult = "b.a.com")]
    [TestCase("*.a.com", "c.b.a.com", ExpectedResult = "c.b.a.com")]
    [TestCase("*.a.com", "*.b.a.com", ExpectedResult = "*.b.a.com")]
    [TestCase("b.a.com", "*.a.com", ExpectedResult = "b.a.com")]
    [TestCase("*.a.com", "a.com", ExpectedResult = null)]
    [TestCase("*.a.com", "xa.com", ExpectedResult = null)]
    [TestCase("a.com", "b.com", ExpectedResult = null)]
    public string? What_a_listener_and_a_route_share_is_the_narrower(string listener, string route) => Hostnames.Intersect(listener, route);

    [Test]
    public void Names_come_before_wildcards_and_longer_ones_first() =>
        Assert.That(
            new[] { "*", "*.com", "a.com", "*.a.com", "b.a.com" }.Order(Hostnames.MostSpecificFirst),
            Is.EqualTo(new[] { "b.a.com", "a.com", "*.a.com", "*.com", "*" }));
}

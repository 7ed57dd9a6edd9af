using NodeMesh.Native.Netlink;

namespace NodeMesh.Unit.Tests.Native;

public sealed class NetlinkRequestTests
{
    [Test]
    public void Attributes_are_padded_nested_and_found_again()
    {
        var message = new NetlinkRequest(16, NetlinkRequest.Ack)
            .Header(0ul)
            .Attribute(3, "veth0")
            .Nest(18, inner => inner.Attribute(1, "veth").Attribute(2, 7u))
            .Attribute(4, 1500u)
            .Finish(9);

        Assert.That(message.Length % 4, Is.Zero);
        Assert.That(BitConverter.ToInt32(message), Is.EqualTo(message.Length));
        var attributes = new NetlinkAttributes(message[24..]);
        Assert.That(attributes.Text(3), Is.EqualTo("veth0"));
        Assert.That(attributes.Int(4, 0), Is.EqualTo(1500));
        Assert.That(attributes.Nested(18).Text(1), Is.EqualTo("veth"));
        Assert.That(attributes.Nested(18).Int(2, 0), Is.EqualTo(7));
        Assert.That(attributes.Int(99, -1), Is.EqualTo(-1));
    }

    [Test]
    public void An_attribute_that_claims_more_than_there_is_ends_the_search() =>
        Assert.That(new NetlinkAttributes([200, 0, 3, 0, 1, 2, 3, 4]).TryGet(3, out _), Is.False);
}

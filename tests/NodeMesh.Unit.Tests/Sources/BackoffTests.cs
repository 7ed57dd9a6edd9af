using NodeMesh.Sources.Kubernetes;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class BackoffTests
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan Most = TimeSpan.FromSeconds(30);

    [Test]
    public void Each_wait_is_about_twice_the_one_before_up_to_a_bound()
    {
        for (var again = 0; again < 100; again++)
        {
            var backoff = new Backoff(First, Most);
            var middle = First;
            for (var i = 0; i < 20; i++)
            {
                Assert.That(backoff.Next(null), Is.InRange(middle * 0.5, middle * 1.5));
                middle = middle * 2 < Most ? middle * 2 : Most;
            }

            backoff.Reset();
            Assert.That(backoff.Next(null), Is.LessThanOrEqualTo(First * 1.5));
        }
    }

    [TestCase(7, 7)]
    [TestCase(300, 300)]
    [TestCase(2_000_000_000, 300)]
    public void What_the_server_asks_for_it_gets_within_reason(int asked, int waits) =>
        Assert.That(new Backoff(First, Most).Next(TimeSpan.FromSeconds(asked)), Is.EqualTo(TimeSpan.FromSeconds(waits)));
}

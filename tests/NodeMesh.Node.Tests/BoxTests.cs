using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>The box itself: if it lies, every other test here does.</summary>
public sealed class BoxTests
{
    [Test]
    public void Pods_reach_each_other_and_the_world_over_both_families_without_any_mesh()
    {
        using var box = new NodeBox();
        var a = box.AddPod("a");
        var b = box.AddServer("b");

        Assert.Multiple(() =>
        {
            Assert.That(a.Netns.Curl($"http://{b.Address}/").Body, Does.StartWith("b GET /"));
            Assert.That(a.Netns.Curl($"http://[{b.Address6}]/").Body, Does.StartWith("b GET /"));
            Assert.That(box.Outside.Curl($"http://{b.Address}/").Body, Does.Contain($"from {NodeBox.OutsideAddress}"));
            Assert.That(a.Netns.Run("ping", "-c1", "-W2", NodeBox.OutsideAddress6).ExitCode, Is.Zero);
        });
    }

    [Test]
    public void A_box_leaves_nothing_behind()
    {
        string id, cgroup, work;
        using (var box = new NodeBox())
        {
            (id, cgroup, work) = (box.Id, box.Cgroup, box.WorkDir);
            box.AddServer("a");
        }

        Assert.Multiple(() =>
        {
            Assert.That(Shell.Run("ip", ["netns", "list"]).Output, Does.Not.Contain(id + "-"));
            Assert.That(Directory.Exists(cgroup), Is.False);
            Assert.That(Directory.Exists(work), Is.False);
        });
    }
}

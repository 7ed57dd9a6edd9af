using NodeMesh.Datapath;

namespace NodeMesh.Bpf.Tests.Datapath;

public sealed class KernelProbeTests
{
    [Test]
    public void Every_required_feature_is_found_on_a_machine_that_can_run_the_tests()
    {
        using var box = new Box();
        var features = KernelProbe.Run(new DatapathOptions { BpffsPath = "/sys/fs/bpf", CgroupPath = box.Cgroup });
        Assert.That(features.Where(f => f.Required && !f.Ok).Select(f => $"{f.Name}: {f.Detail}"), Is.Empty);
        Assert.That(features.Select(f => f.Name), Is.Unique.And.Contains("tcx").And.Contain("socket assignment"));
    }

    [Test]
    public void A_helper_that_no_kernel_has_is_not_found()
    {
        Assert.That(Native.Bpf.ProgramProbe.HasTrafficHelper(100_000), Is.False);
        Assert.That(Native.Bpf.ProgramProbe.HasTrafficHelper(124), Is.True);
    }
}

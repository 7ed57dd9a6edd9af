using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>The programs of bpf/tests: t_unit__case answers 0, or the source line of the check that failed.</summary>
internal sealed class DecisionTests
{
    public static IEnumerable<TestCaseData> Cases()
    {
        foreach (var path in BpfFiles.TestObjects)
        {
            var name = Path.GetFileName(path)[..^".bpf.o".Length];
            using var read = BpfObject.Open(File.ReadAllBytes(path), name);
            foreach (var program in read.Programs.Where(p => p.Name.StartsWith("t_", StringComparison.Ordinal)))
                yield return new TestCaseData(name, program.Name).SetArgDisplayNames(program.Name);
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Decision(string objectName, string program)
    {
        var test = BpfFiles.Borrow(objectName, c => c with { DenyResponse = (uint)DenyResponse.Reject }).Program(program);
        var line = (test.Section == "tc" ? test.TestRun(Packet.Ethernet(0)) : test.TestRun([], new byte[8])).ReturnValue;
        Assert.That(line, Is.Zero, $"bpf/tests/{objectName}.bpf.c line {line}");
    }

    [Test]
    public void There_are_decision_tests() => Assert.That(Cases(), Is.Not.Empty, "Cure: make -C bpf");
}

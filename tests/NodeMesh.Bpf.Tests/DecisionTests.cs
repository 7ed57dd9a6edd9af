using NodeMesh.Native.Bpf;

namespace NodeMesh.Bpf.Tests;

/// <summary>The syscall programs of bpf/tests: t_unit__case answers 0, or the source line of the check that failed.</summary>
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
        var line = BpfFiles.Borrow(objectName).Program(program).TestRun([], new byte[8]).ReturnValue;
        Assert.That(line, Is.Zero, $"bpf/tests/{objectName}.bpf.c line {line}");
    }

    [Test]
    public void There_are_decision_tests() => Assert.That(Cases(), Is.Not.Empty, "Cure: make -C bpf");
}

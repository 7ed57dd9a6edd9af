namespace NodeMesh.Bpf.Tests;

[SetUpFixture]
internal sealed class RootFixture
{
    [OneTimeSetUp]
    public void Root_is_needed() =>
        Assert.That(Environment.IsPrivilegedProcess, "These tests load BPF programs and need root. Cure: run them as root.");
}

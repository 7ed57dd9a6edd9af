using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

internal static class Mesh
{
    /// <summary>Ends a test's agent and box, whichever were made; a failed test shows what the agent said.</summary>
    public static void End(NodeBox? box, AgentProcess? agent)
    {
        if (TestContext.CurrentContext.Result.FailCount > 0)
            TestContext.Out.WriteLine(agent?.Log);
        agent?.Dispose();
        box?.Dispose();
    }
}

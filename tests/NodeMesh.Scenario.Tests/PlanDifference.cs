using NodeMesh.Plan;

namespace NodeMesh.Scenario.Tests;

/// <summary>Compares plans row by row: equal texts would not show that a number has changed.</summary>
internal static class PlanDifference
{
    public static void AssertSame(MeshPlan expected, MeshPlan actual, string when) => Assert.Multiple(() =>
    {
        Table("identities", expected.Kernel.Identities, actual.Kernel.Identities, when);
        Table("backends", expected.Kernel.Backends, actual.Kernel.Backends, when);
        Table("slots", expected.Kernel.Slots, actual.Kernel.Slots, when);
        Table("members", expected.Kernel.Members, actual.Kernel.Members, when);
        Table("source ranges", expected.Kernel.SourceRanges, actual.Kernel.SourceRanges, when);
        Table("frontends", expected.Kernel.Frontends, actual.Kernel.Frontends, when);
        Table("groups of peers", expected.Kernel.PeerGroups, actual.Kernel.PeerGroups, when);
        Table("classes", expected.Kernel.Classes, actual.Kernel.Classes, when);
        Table("verdicts", expected.Kernel.Verdicts, actual.Kernel.Verdicts, when);
        Assert.That(actual.Kernel.Endpoints.Select(Text), Is.EqualTo(expected.Kernel.Endpoints.Select(Text)), when);
        Assert.That(actual.Proxy.LocalPods, Is.EquivalentTo(expected.Proxy.LocalPods), when);
        Assert.That(actual.Proxy.Policy.Http.Keys, Is.EquivalentTo(expected.Proxy.Policy.Http.Keys), when);
        Assert.That(PlanText.Of(actual), Is.EqualTo(PlanText.Of(expected)), when);
    });

    private static string Text(EndpointPlan endpoint) => $"{endpoint.Name} {string.Join(",", endpoint.Addresses)} {endpoint.Identity} {endpoint.PolicySet}";

    private static void Table<TKey, TValue>(string name, RowTable<TKey, TValue> expected, RowTable<TKey, TValue> actual, string when)
        where TKey : struct
        where TValue : struct
    {
        Assert.That(expected.Except(actual), Is.Empty, $"{name} that are missing, {when}");
        Assert.That(actual.Except(expected), Is.Empty, $"{name} that are too many, {when}");
    }
}

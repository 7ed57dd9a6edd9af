namespace NodeMesh.Flows.Metrics;

public enum MetricType
{
    /// <summary>Only grows, from zero at the agent's start.</summary>
    Counter,
    Gauge,
    Histogram,
}

/// <summary>One metric of the page at /metrics: registered, and described in docs/metrics.md, from here alone.</summary>
/// <param name="Name">nodemesh_area_what_unit, with _total for counters.</param>
/// <param name="Labels">Their values come from enums or from objects of this node, so that their number is bounded.</param>
/// <param name="Help">One sentence without a period.</param>
public sealed record MetricSpec(string Name, MetricType Type, string Help, params string[] Labels);

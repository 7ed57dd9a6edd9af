using System.Collections.Immutable;

namespace NodeMesh.Model;

/// <summary>A pod's network as the container runtime told it, before the pod's object in the API has an address.</summary>
/// <param name="ContainerId">The runtime's name of it. A pod that starts again gets another.</param>
/// <param name="Uid">Of the pod; empty when the runtime did not say.</param>
/// <param name="Netns">Path of its network namespace.</param>
public sealed record Sandbox(string ContainerId, ObjectName Pod, string Uid, string Netns, ImmutableArray<IpAddr> Addresses)
{
    /// <summary>An earlier agent's plugin was told it. What the API says now may be newer.</summary>
    public bool IsRecalled { get; init; }
}

using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>A rule as one pod is under it: names of its own ports are numbers now.</summary>
/// <param name="Peers">Empty: everybody.</param>
/// <param name="Ports">Null: everything; empty: nothing (a name that the pod does not have).</param>
/// <param name="Source">The policy, for logs.</param>
/// <param name="Text">Equal rules have equal texts.</param>
internal sealed record SetRule(
    PolicyAction Action, ImmutableArray<PolicyPeer> Peers, ImmutableArray<PortMatch>? Ports, ImmutableArray<HttpMatch> Http, string Source, string Text)
{
    public bool LooksAtRequests => Http.Length > 0;

    public bool HasNamedPorts => Ports is { } ports && ports.Any(p => p.Named is not null);
}

/// <param name="Isolated">What no rule allows is refused.</param>
/// <param name="Rules">Sorted by text, each once.</param>
internal sealed record DirectionRules(bool Isolated, ImmutableArray<SetRule> Rules)
{
    public string Text => $"isolated={Isolated}\n{string.Join('\n', Rules.Select(r => r.Text))}";
}

/// <summary>Everything that policies say to a pod; pods to which the same is said share a set.</summary>
/// <param name="Policies">Names of the policies, sorted.</param>
internal sealed record PolicySet(DirectionRules Ingress, DirectionRules Egress, ImmutableSortedSet<string> Policies)
{
    public string Text { get; } = $"ingress {Ingress.Text}\negress {Egress.Text}";
}

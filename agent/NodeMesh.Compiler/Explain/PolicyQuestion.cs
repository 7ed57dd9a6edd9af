using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Explain;

/// <summary>One end of a connection that somebody asks about.</summary>
public abstract record ConnectionEnd
{
    private ConnectionEnd()
    {
    }

    public sealed record OfPod(ObjectName Name) : ConnectionEnd;

    /// <summary>A service, by whatever address of it: policy is about the backends.</summary>
    public sealed record OfService(ObjectName Name) : ConnectionEnd;

    public sealed record OfAddress(IpAddr Address) : ConnectionEnd;
}

/// <param name="Port">Of the service, pod or address; of ICMP: type and code, as in nm_verdict_key; 0 for protocols without.</param>
public sealed record PolicyQuestion(ConnectionEnd From, ConnectionEnd To, Protocol Protocol, ushort Port);

/// <param name="Paths">One for each backend of a service, else one.</param>
/// <param name="Problem">Why there is no answer; null when there is.</param>
public sealed record PolicyAnswer(ImmutableArray<PolicyPath> Paths, string? Problem = null);

/// <summary>A connection with what both ends have to say.</summary>
/// <param name="From">"Pod shop/front", "world", "cidr 10.0.0.0/8": who the source is to policy.</param>
public sealed record PolicyPath(string From, IpAddr Source, string To, IpAddr Destination, ushort Port, PolicySay Egress, PolicySay Ingress)
{
    public bool IsAllowed => Egress.Verdict is Verdict.Allow or Verdict.Redirect && Ingress.Verdict is Verdict.Allow or Verdict.Redirect;

    /// <summary>The proxy has the last word, request by request.</summary>
    public bool IsByRequest => IsAllowed && (Egress.Http is not null || Ingress.Http is not null);
}

/// <summary>What one end says in its direction.</summary>
/// <param name="Because">The rule that decides, or why none does.</param>
/// <param name="Http">The rules for requests, where the verdict is Redirect.</param>
/// <param name="Audit">The rule of a policy under audit that would have refused; empty: none.</param>
public sealed record PolicySay(Verdict Verdict, string Because, HttpPolicyPlan? Http = null, string Audit = "");

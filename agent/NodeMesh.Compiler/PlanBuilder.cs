using NodeMesh.Compiler.Policies;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler;

/// <summary>What the stages of one part of the plan fill in; each stage writes only its own members. Read only once the part is done.</summary>
/// <param name="previous">What the proxy has now, so that what is equal need not be a new object.</param>
internal sealed class PlanBuilder(ProxyPlan previous)
{
    public ProxyPlan Previous => previous;

    public Dictionary<ClassKey, ClassEntry> Classes { get; } = [];
    public Dictionary<VerdictKey, VerdictEntry> Verdicts { get; } = [];
    public Dictionary<VerdictKey, HttpPolicyPlan> Http { get; } = [];
    public List<EndpointPlan> Endpoints { get; } = [];
    public Dictionary<ServiceAddress, ServicePlan> Services { get; } = [];
    public List<GatewayPlan> Gateways { get; } = [];
    public Dictionary<uint, string> PolicySetNames { get; } = [];
    public Dictionary<uint, string> RuleNames { get; } = [];
    public List<Diagnostic> Diagnostics { get; } = [];

    /// <summary>Addresses and identities that the proxy may dial in a pod's name.</summary>
    public HashSet<IpAddr> DialledAddresses { get; } = [];

    public HashSet<uint> DialledIdentities { get; } = [];

    public void Report(
        string code, Severity severity, ObjectRef about, string fieldPath, string message, string consequence, SourceLocation? location) =>
        Diagnostics.Add(new Diagnostic(code, severity, about, fieldPath, message, consequence, location));

    public void Add(SetRows rows)
    {
        foreach (var (key, entry) in rows.Classes)
            Classes.Add(key, entry);
        foreach (var (key, entry) in rows.Verdicts)
            Verdicts.Add(key, entry);
        foreach (var (key, plan) in rows.Http)
            Http.Add(key, plan);
        DialledIdentities.UnionWith(rows.Dialled);
    }

    public void MayBeDialled(IpAddr address) => DialledAddresses.Add(address);
}

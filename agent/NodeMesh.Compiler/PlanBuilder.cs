using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler;

/// <summary>What the stages of one part of the plan fill in; each stage writes only its own members. Read only once the part is done.</summary>
/// <param name="previous">What the proxy has now, so that what is equal need not be a new object.</param>
internal sealed class PlanBuilder(ProxyPlan previous)
{
    public ProxyPlan Previous => previous;

    public Dictionary<ServiceAddress, ServicePlan> Services { get; } = [];
    public List<GatewayPlan> Gateways { get; } = [];
    public List<Diagnostic> Diagnostics { get; } = [];

    /// <summary>Addresses that the proxy may dial in a pod's name.</summary>
    public HashSet<IpAddr> DialledAddresses { get; } = [];

    public void Report(
        string code, Severity severity, ObjectRef about, string fieldPath, string message, string consequence, SourceLocation? location) =>
        Diagnostics.Add(new Diagnostic(code, severity, about, fieldPath, message, consequence, location));

    public void MayBeDialled(IpAddr address) => DialledAddresses.Add(address);
}

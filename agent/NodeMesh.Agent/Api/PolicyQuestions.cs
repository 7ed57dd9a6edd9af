using System.Globalization;
using Grpc.Core;
using NodeMesh.Compiler.Explain;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;
using NodeMesh.Proxy.Filters;
using NodeMesh.Sources;

namespace NodeMesh.Agent.Api;

/// <summary>Questions about policy in the words of the API. Pure.</summary>
internal static class PolicyQuestions
{
    private const int UsualMost = 1000;

    /// <exception cref="RpcException">InvalidArgument: the question makes no sense in this mesh.</exception>
    public static ExplainPolicyReply Explain(MeshSnapshot mesh, NodeFacts node, ExplainPolicyRequest request)
    {
        var (protocol, port) = PortOf(request.Port);
        var question = new PolicyQuestion(End(mesh, request.From, protocol, port), End(mesh, request.To, protocol, port), protocol, port);
        var answer = PolicyExplainer.Answer(mesh, node, question);
        if (answer.Problem is { } problem)
            throw Invalid(problem);
        var reply = new ExplainPolicyReply();
        reply.Paths.AddRange(answer.Paths.Select(p => Path(p, protocol, request)));
        return reply;
    }

    public static DiffPoliciesReply Diff(MeshSnapshot mesh, NodeFacts node, DiffPoliciesRequest request)
    {
        // Objects are read as if they stood beside what is in force: its namespaces are there.
        List<(string Path, string Text)> files = [.. request.Files.Select(f => (f.Path, f.Text))];
        var own = ManifestReader.Read(files).Snapshot.Namespaces;
        var others = mesh.Namespaces.Where(n => own.All(o => o.Name != n.Name)).Select(n => $"---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {n.Name}}}\n");
        var (changed, diagnostics) = ManifestReader.Read([.. files, ("in force", string.Concat(others))]);
        var reply = new DiffPoliciesReply();
        reply.Diagnostics.AddRange(diagnostics.Select(ApiMapping.Finding));
        if (diagnostics.Any(d => d.Severity == Severity.Error))
            return reply;

        var found = PolicyDifference.Between(mesh, MeshOverlay.Put(mesh, changed with { Namespaces = own }, request.Prune), node, request.Most > 0 ? request.Most : UsualMost);
        reply.Cut = found.More;
        reply.Changes.AddRange(found.Changes.Select(c => new PolicyChange
        {
            From = c.From,
            To = c.To,
            Ports = c.Ports,
            Before = Word(c.Before),
            After = Word(c.After),
            Because = c.Because,
        }));
        return reply;
    }

    private static PolicyPath Path(Compiler.Explain.PolicyPath path, Protocol protocol, ExplainPolicyRequest request)
    {
        var (egress, ingress) = (Say(path.Egress, request), Say(path.Ingress, request));
        return new PolicyPath
        {
            From = path.From,
            Source = path.Source.ToString(),
            To = path.To,
            Destination = path.Destination.ToString(),
            Port = PortText(protocol, path.Port),
            Verdict = Worse(egress.Verdict, ingress.Verdict),
            Egress = egress,
            Ingress = ingress,
        };
    }

    private static PolicySay Say(Compiler.Explain.PolicySay say, ExplainPolicyRequest request)
    {
        var reply = new PolicySay { Because = say.Because, Audit = say.Audit };
        switch (say.Verdict)
        {
            case Verdict.Allow:
                reply.Verdict = Word(PolicyEffect.Allowed);
                break;
            case Verdict.Redirect when say.Http is { } rules && request.Method.Length + request.Path.Length + request.Host.Length + request.Headers.Count > 0:
                var (allowed, policy, problem) = HttpPolicyQuestion.Judge(
                    rules, OrElse(request.Method, "GET"), OrElse(request.Path, "/"), OrElse(request.Host, "localhost"), request.Headers);
                reply.Verdict = Word(allowed ? PolicyEffect.Allowed : PolicyEffect.Denied);
                reply.Reason = allowed ? "" : "policy_denied";
                reply.Because = problem ?? policy ?? (allowed ? "a rule that looks at no requests" : "no rule allows the request");
                break;
            case Verdict.Redirect:
                reply.Verdict = Word(PolicyEffect.ByRequest);
                break;
            default:
                reply.Verdict = Word(PolicyEffect.Denied);
                reply.Reason = say.Verdict == Verdict.Deny ? "policy_denied" : "default_deny";
                break;
        }

        return reply;
    }

    private static string Worse(string a, string b) =>
        ((string[])[Word(PolicyEffect.Denied), Word(PolicyEffect.ByRequest), Word(PolicyEffect.Allowed)]).First(word => word == a || word == b);

    private static string Word(PolicyEffect effect) => effect switch
    {
        PolicyEffect.Allowed => "allowed",
        PolicyEffect.ByRequest => "by request",
        _ => "denied",
    };

    private static ConnectionEnd End(MeshSnapshot mesh, string text, Protocol protocol, ushort port)
    {
        if (IpAddr.TryParse(text, out var address))
            return mesh.Services.FirstOrDefault(s => s.ClusterIps.Contains(address) && s.Ports.Any(p => p.Protocol == protocol && p.Port == port)) is { } byAddress
                ? new ConnectionEnd.OfService(byAddress.Name)
                : new ConnectionEnd.OfAddress(address);

        var parts = text.Split('/');
        if (parts.Length is < 2 or > 3 || parts.Any(p => p.Length == 0))
            throw Invalid($"'{text}': NAMESPACE/NAME of a pod or service, or an IP address, expected");
        var name = new ObjectName(parts[^2], parts[^1]);
        return (parts.Length == 3 ? parts[0] : "") switch
        {
            "pod" => new ConnectionEnd.OfPod(name),
            "service" or "svc" => new ConnectionEnd.OfService(name),
            "" when mesh.Workloads.Any(w => w.Name == name) => new ConnectionEnd.OfPod(name),
            "" when mesh.Services.Any(s => s.Name == name) => new ConnectionEnd.OfService(name),
            "" => throw Invalid($"there is neither a pod nor a service {name}"),
            var kind => throw Invalid($"'{text}': {kind} is neither pod nor service"),
        };
    }

    /// <summary>As the kernel keys it: of ICMP the type is the high byte.</summary>
    private static (Protocol Protocol, ushort Port) PortOf(string text)
    {
        var parts = text.Split('/');
        var isNumber = ushort.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        if (parts.Length == 1 && isNumber)
            return (Protocol.Tcp, number);
        if (parts.Length > 2 || (parts.Length == 2 && !isNumber))
            throw NoPort(text);
        var protocol = Enum.TryParse<Protocol>(parts[^1], ignoreCase: true, out var known) && known != Protocol.Any ? known
            : throw NoPort(text);
        if (protocol is not (Protocol.Icmp or Protocol.Icmpv6))
            return (protocol, parts.Length == 2 ? number : (ushort)0);
        return parts.Length == 1 || number > byte.MaxValue ? throw NoPort(text) : (protocol, (ushort)(number << 8));
    }

    private static string PortText(Protocol protocol, ushort port)
    {
        var name = Enum.IsDefined(protocol) ? protocol.ToString().ToUpperInvariant() : string.Create(CultureInfo.InvariantCulture, $"protocol {(byte)protocol}");
        return protocol switch
        {
            Protocol.Icmp or Protocol.Icmpv6 => string.Create(CultureInfo.InvariantCulture, $"{port >> 8}/{name}"),
            Protocol.Tcp or Protocol.Udp or Protocol.Sctp => string.Create(CultureInfo.InvariantCulture, $"{port}/{name}"),
            _ => name,
        };
    }

    private static RpcException NoPort(string text) =>
        Invalid($"'{text}': a port as in 80/TCP, a type as in 8/ICMP, or a protocol by its number as in 0/47 expected");

    private static string OrElse(string text, string otherwise) => text.Length > 0 ? text : otherwise;

    private static RpcException Invalid(string what) => new(new Status(StatusCode.InvalidArgument, what));
}

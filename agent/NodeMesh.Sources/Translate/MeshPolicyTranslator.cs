using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>
/// nodemesh.io/v1alpha1 MeshPolicy and ClusterMeshPolicy. The same fields are in deploy/crds/, and the same limits: what the API server would not take is not taken
/// from a file.
/// </summary>
internal static class MeshPolicyTranslator
{
    private const int MaxRules = 128;
    private const int MaxPeers = 256;
    private const int MaxExcepts = 64;
    private const int MaxServices = 64;
    private const int MaxPorts = 128;
    private const int MaxHttp = 32;
    private const int MaxMethods = 32;
    private const int MaxPaths = 64;
    private const int MaxHosts = 64;
    private const int MaxHeaders = 32;
    private const int MaxTypes = 2;
    private static readonly (int Expressions, int Values) s_mostOfSelector = (16, 64);

    public static Policy Translate(ApiObject obj, Fields root)
    {
        Metadata.Read(root, obj);
        root.Ignore("status");
        var isCluster = obj.Kind == Kinds.ClusterMeshPolicy;
        var own = isCluster ? NamespaceMatch.All : new NamespaceMatch(obj.Name.Namespace, null);
        var kind = isCluster ? PolicyKind.ClusterMeshPolicy : PolicyKind.MeshPolicy;

        using var spec = root.Require("spec")?.Map();
        if (spec is null)
            return new Policy(kind, obj.Name, LabelSelector.Everything, own, true, true, [], [], obj.Location);

        var subject = Selectors.Read(spec.Get("podSelector"), s_mostOfSelector);
        var namespaces = isCluster ? Selectors.Namespaces(spec.Get("namespaceSelector"), s_mostOfSelector) : own;
        var isAudit = spec.Get("action")?.OneOf("Enforce", "Audit") == "Audit";
        var ingress = PolicyParts.ReadAll(spec.Items("ingress", MaxRules), item => Rule(item, "from", own)) ?? [];
        var egress = PolicyParts.ReadAll(spec.Items("egress", MaxRules), item => Rule(item, "to", own)) ?? [];
        var types = PolicyParts.PolicyTypes(spec, MaxTypes);
        if (types is null && ingress.Length + egress.Length == 0 && !spec.Report.Failed)
            spec.Report.Warning("idle-policy", spec.Path, spec.At, "the policy has no rule; add ingress or egress rules, or policyTypes to refuse everything", "the policy has no effect");
        var (isIngress, isEgress) = types ?? (true, true);
        PolicyParts.WarnIdle(spec, "ingress", isIngress, ingress.Length);
        PolicyParts.WarnIdle(spec, "egress", isEgress, egress.Length);

        // A policy of Deny rules takes away and leaves the rest as it was, unless it says which directions it closes.
        return new Policy(kind, obj.Name, subject, namespaces, types?.Ingress ?? ingress.Any(IsAllow), types?.Egress ?? egress.Any(IsAllow),
            isIngress ? ingress : [], isEgress ? egress : [], obj.Location)
        {
            IsAudit = isAudit,
        };
    }

    private static bool IsAllow(PolicyRule rule) => rule.Action == PolicyAction.Allow;

    private static PolicyRule? Rule(Value item, string peersField, NamespaceMatch own)
    {
        using var rule = item.Map();
        if (rule is null)
            return null;
        var action = rule.Get("action")?.OneOf("Allow", "Deny") == "Deny" ? PolicyAction.Deny : PolicyAction.Allow;
        var peers = PolicyParts.ReadAll(rule.Items(peersField, MaxPeers), p => Peer(p, own));
        var portItems = rule.Items("ports", MaxPorts);
        var ports = PolicyParts.ReadPorts(portItems, MeshPorts.Read);
        var services = peersField == "to" ? PolicyParts.ReadAll(rule.Items("toServices", MaxServices), item => Service(item, own)) : [];
        var httpItems = rule.Items("http", MaxHttp);
        var http = PolicyParts.ReadAll(httpItems, Http);
        if (httpItems.Length > 0)
            ports = TcpOnly(portItems, ports, hasServices: services is not { Length: 0 });
        return peers is { } p && http is { } h && services is { } s
            ? new PolicyRule(action, p, ports, h) { Name = PolicyParts.RuleName(rule), Services = [.. s.Select(service => service.Name).Distinct()] }
            : null;
    }

    /// <summary>A Service by name; in the policy's own namespace unless it says another.</summary>
    private static ServiceName? Service(Value item, NamespaceMatch own)
    {
        using var service = item.Map();
        var name = service?.Require("name")?.Text();
        var ns = own.Name is { } home ? service?.Text("namespace") ?? home : service?.Require("namespace")?.Text();
        return name is null || ns is null ? null : new ServiceName(new ObjectName(ns, name));
    }

    private sealed record ServiceName(ObjectName Name);

    /// <summary>Requests travel over TCP only; a rule about requests on every port means every TCP port, or those of its services.</summary>
    private static ImmutableArray<PortMatch> TcpOnly(ImmutableArray<Value> items, ImmutableArray<PortMatch> ports, bool hasServices)
    {
        if (items.Length == 0)
            return hasServices ? [] : [PortMatch.All(Protocol.Tcp)];
        if (items.Length == ports.Length)
            for (var i = 0; i < ports.Length; i++)
                if (ports[i].Protocol != Protocol.Tcp)
                    items[i].Error("bad-value", "a rule with 'http' is about TCP ports; set protocol to TCP or put this port in a rule of its own");
        return ports;
    }

    private static PolicyPeer? Peer(Value item, NamespaceMatch own)
    {
        using var peer = item.Map();
        if (peer is null)
            return null;
        var hasBlock = peer.Has("ipBlock");
        var hasEntity = peer.Has("entity");
        var block = PolicyParts.Block(peer.Get("ipBlock"), MaxExcepts);
        var entity = Entity(peer.Get("entity"));
        var pods = PolicyParts.Pods(peer, own, s_mostOfSelector);
        var given = (hasBlock ? 1 : 0) + (hasEntity ? 1 : 0) + (pods is null ? 0 : 1);
        if (given > 1)
            peer.Error("bad-value", "a peer is selectors, an ipBlock or an entity, one of them; make several peers of it");
        if (given == 0)
            peer.Error("missing-field", "the peer says nothing; give podSelector, namespaceSelector, ipBlock or entity, or remove the list to mean every peer");
        return hasBlock ? block : hasEntity ? entity : pods;
    }

    private static EntityPeer? Entity(Value? value) => value?.OneOf("host", "remote-node", "cluster", "world", "all", "kube-apiserver") switch
    {
        "host" => new EntityPeer(PolicyEntity.Host),
        "remote-node" => new EntityPeer(PolicyEntity.RemoteNode),
        "cluster" => new EntityPeer(PolicyEntity.Cluster),
        "world" => new EntityPeer(PolicyEntity.World),
        "all" => new EntityPeer(PolicyEntity.All),
        "kube-apiserver" => new EntityPeer(PolicyEntity.KubeApiserver),
        _ => null,
    };

    private static HttpMatch? Http(Value item)
    {
        using var http = item.Map();
        if (http is null)
            return null;
        var methods = http.Items("methods", MaxMethods);
        var paths = http.Items("paths", MaxPaths);
        var hosts = http.Items("hosts", MaxHosts);
        var headers = http.Items("headers", MaxHeaders);
        if (methods.Length + paths.Length + hosts.Length + headers.Length == 0)
            http.Error("missing-field", "the entry says nothing; give methods, paths, hosts or headers, or remove 'http' to mean every connection");

        return new HttpMatch(
            [.. methods.Select(Method).OfType<string>().Distinct()],
            [.. paths.Select(Path).OfType<StringMatch>()],
            [.. hosts.Select(Host).OfType<string>().Distinct()],
            [.. headers.Select(Header).OfType<HeaderMatch>()]);
    }

    private static string? Method(Value value)
    {
        if (value.Text() is not { } method)
            return null;
        if (!Names.IsToken(method))
            value.Error("bad-value", $"'{method}' is not an HTTP method such as GET");
        return method.ToUpperInvariant();
    }

    private static StringMatch? Path(Value item)
    {
        using var path = item.Map();
        var type = path?.Get("type")?.OneOf("Exact", "Prefix", "Regex") ?? "Prefix";
        if (path?.Require("value") is not { } value || value.Text() is not { } text)
            return null;
        if (type == "Regex")
            return HttpParts.CheckRegex(value, text) ? new StringMatch(MatchType.Regex, text) : null;
        HttpParts.CheckPath(value, text);
        return type == "Exact" ? new StringMatch(MatchType.Exact, text) : new StringMatch(MatchType.PathPrefix, HttpParts.TrimPrefix(text));
    }

    private static string? Host(Value value)
    {
        if (value.Text()?.ToLowerInvariant() is not { } host)
            return null;
        if (!Names.IsHostname(host, wildcard: true))
            value.Error("bad-value", $"'{host}' is not a host such as example.com or *.example.com; give no port and no address");
        return host;
    }

    private static HeaderMatch? Header(Value item)
    {
        using var header = item.Map();
        if (header is null)
            return null;
        var name = HttpParts.HeaderName(header);
        var type = header.Get("type")?.OneOf("Exact", "Regex", "Present") ?? "Exact";
        var value = header.Get("value");
        if (type == "Present")
        {
            value?.Error("bad-value", "a header of type Present takes no value; remove it");
            return name is null ? null : new HeaderMatch(name, MatchType.Present, "");
        }
        if (value is not { } v)
        {
            header.Error("missing-field", "the header has no 'value'; add it, or set type to Present");
            return null;
        }
        if (v.Text() is not { } text || name is null)
            return null;
        if (type == "Regex")
            return HttpParts.CheckRegex(v, text) ? new HeaderMatch(name, MatchType.Regex, text) : null;
        if (!Names.IsHeaderValue(text))
            v.Error("bad-value", "the value has characters that a header cannot carry");
        return new HeaderMatch(name, MatchType.Exact, text);
    }
}

using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>gateway.networking.k8s.io/v1 Gateway: HTTP and HTTPS listeners.</summary>
internal static class GatewayTranslator
{
    private const string ListenerLeftOut = "the listener is left out";

    public static GatewayDraft Translate(ApiObject obj, Fields root)
    {
        var meta = Metadata.Read(root, obj);
        root.Ignore("status");
        using var spec = root.Require("spec")?.Map();
        if (spec is null)
            return new GatewayDraft(new Gateway(obj.Name, [], [], obj.Location), "", []);

        spec.Ignore("infrastructure");
        spec.Unsupported("allowedListeners", "no ListenerSet attaches");
        spec.Refuse("backendTLS");
        spec.Refuse("tls");
        var className = spec.Require("gatewayClassName")?.Text() ?? "";
        var addresses = new List<IpAddr>();
        foreach (var item in spec.Items("addresses"))
        {
            using var a = item.Map();
            if (a is null)
                continue;
            var type = a.Text("type") ?? "IPAddress";
            var value = a.Require("value");
            if (type != "IPAddress")
                a.Error("unsupported", $"an address of type {type} is not supported; use IPAddress");
            else if (value is { } v && Ports.Address(v) is { } address)
                addresses.Add(address);
        }

        var listeners = ImmutableArray.CreateBuilder<GatewayListener>();
        var sites = ImmutableArray.CreateBuilder<ListenerSite>();
        var items = spec.Require("listeners")?.Items() ?? [];
        for (var i = 0; i < items.Length; i++)
        {
            if (Listener(items[i], obj.Name.Namespace, out var lines) is not { } listener)
                continue;
            CheckClash(items[i], listener, listeners);
            listeners.Add(listener);
            sites.Add(new ListenerSite(i, items[i].Node.At.Line, lines));
        }
        var gateway = new Gateway(obj.Name, [.. addresses.Distinct()], listeners.ToImmutable(), obj.Location) { CreatedAt = meta.CreatedAt };
        return new GatewayDraft(gateway, className, sites.ToImmutable());
    }

    private static void CheckClash(Value item, GatewayListener listener, IEnumerable<GatewayListener> others)
    {
        foreach (var other in others)
        {
            if (other.Name == listener.Name)
                item.Error("duplicate", $"the listener name '{listener.Name}' stands twice; rename one");
            if (other.Port == listener.Port && other.Protocol != listener.Protocol)
                item.Error("port-clash", $"port {listener.Port} is HTTP in one listener and HTTPS in another; change one");
            else if (other.Port == listener.Port && other.Hostname == listener.Hostname)
                item.Error("port-clash", $"the listeners '{other.Name}' and '{listener.Name}' have the same port and hostname; change one");
        }
    }

    private static GatewayListener? Listener(Value item, string ownNamespace, out ImmutableArray<int> certificateLines)
    {
        certificateLines = [];
        using var l = item.Map();
        if (l is null)
            return null;
        var name = l.Require("name")?.Text();
        var port = Ports.Number(l.Require("port"));
        var protocol = l.Require("protocol")?.Text();
        var hostname = Hostname(l.Get("hostname"));
        using var tls = l.Map("tls");
        var certificates = Certificates(tls, ownNamespace, out certificateLines, out var isTerminating);
        var namespaces = RouteNamespaces(l, ownNamespace, out var takesRoutes);
        if (name is null || port is null || protocol is null || !takesRoutes)
            return null;

        if (protocol is not ("HTTP" or "HTTPS"))
        {
            l.Report.Partly("unsupported", l.Path, l.At, $"the protocol {protocol} is not supported; use HTTP or HTTPS", ListenerLeftOut);
            return null;
        }
        if (protocol == "HTTP")
        {
            if (tls is not null)
                l.Error("bad-value", "a listener of protocol HTTP has no 'tls'; set protocol to HTTPS or remove it");
            return new GatewayListener(name, ListenerProtocol.Http, port.Value, hostname, [], namespaces);
        }
        if (!isTerminating)
        {
            l.Report.Partly("unsupported", l.Path, l.At, "TLS mode Passthrough is not supported; use Terminate", ListenerLeftOut);
            return null;
        }
        if (certificates.Length == 0 && !l.Report.Failed)
            l.Error("missing-field", "a listener of protocol HTTPS needs tls.certificateRefs");
        return new GatewayListener(name, ListenerProtocol.Https, port.Value, hostname, certificates, namespaces);
    }

    private static string? Hostname(Value? value)
    {
        if (value?.Text() is not { Length: > 0 } host)
            return null;
        if (!Names.IsHostname(host, wildcard: true))
            value.Value.Error("bad-value", $"'{host}' is not a lower-case host such as example.com or *.example.com");
        return host;
    }

    private static ImmutableArray<ObjectName> Certificates(Fields? tls, string ownNamespace, out ImmutableArray<int> lines, out bool isTerminating)
    {
        lines = [];
        isTerminating = true;
        if (tls is null)
            return [];
        isTerminating = tls.Get("mode")?.OneOf("Terminate", "Passthrough") != "Passthrough";

        // Without the check of client certificates that it asks for, the listener would let everyone in.
        tls.Refuse("frontendValidation");
        tls.Unsupported("options", "the options are ignored");
        var names = ImmutableArray.CreateBuilder<ObjectName>();
        var at = ImmutableArray.CreateBuilder<int>();
        foreach (var item in tls.Items("certificateRefs"))
        {
            using var r = item.Map();
            if (r is null)
                continue;
            var group = r.Text("group") ?? "";
            var kind = r.Text("kind") ?? "Secret";
            var ns = r.Text("namespace") ?? ownNamespace;
            var name = r.Require("name")?.Text();
            if (group.Length > 0 || kind != "Secret")
                r.Error("unsupported", $"a certificate of kind {kind} is not supported; use a Secret of type kubernetes.io/tls");
            if (name is null)
                continue;
            names.Add(new ObjectName(ns, name));
            at.Add(item.Node.At.Line);
        }
        lines = at.ToImmutable();
        return names.ToImmutable();
    }

    private static NamespaceMatch RouteNamespaces(Fields listener, string ownNamespace, out bool takesRoutes)
    {
        takesRoutes = true;
        var own = new NamespaceMatch(ownNamespace, null);
        using var allowed = listener.Map("allowedRoutes");
        if (allowed is null)
            return own;
        var kinds = allowed.Items("kinds");
        var hasHttp = kinds.Length == 0;
        foreach (var item in kinds)
        {
            using var kind = item.Map();
            hasHttp |= kind?.Text("kind") == "HTTPRoute" && (kind.Text("group") ?? Kinds.GatewayGroup) == Kinds.GatewayGroup;
            kind?.Ignore("group");
        }
        using var namespaces = allowed.Map("namespaces");
        var from = namespaces?.Get("from")?.OneOf("Same", "All", "Selector", "None") ?? "Same";
        var selector = namespaces?.Get("selector");
        if (!hasHttp || from == "None")
        {
            takesRoutes = false;
            if (selector is not null)
                Selectors.Read(selector);
            allowed.Report.Warning("no-routes", allowed.Path, allowed.At, "the listener takes no HTTPRoute; change allowedRoutes", ListenerLeftOut);
            return own;
        }
        if (from == "Selector" && selector is null)
            namespaces!.Error("missing-field", "from: Selector needs a 'selector'");
        if (from != "Selector" && selector is not null)
            selector.Value.Error("bad-value", $"a selector counts only with from: Selector, not {from}; remove it or change 'from'");
        return from switch
        {
            "All" => NamespaceMatch.All,
            "Selector" => Selectors.Namespaces(selector),
            _ => own,
        };
    }
}

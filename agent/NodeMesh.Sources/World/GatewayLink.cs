using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>Gateways of our classes, with listeners whose certificates are there.</summary>
internal static class GatewayLink
{
    /// <param name="found">Takes what is wrong.</param>
    public static List<Gateway> Run(
        Gathered gathered, IReadOnlyList<Certificate> certificates, IReadOnlyDictionary<ObjectName, Gateway> previous, List<Diagnostic> found)
    {
        var classes = gathered.Of<ClassDraft>(Kinds.GatewayClass).ToDictionary(e => e.Value.Name, e => e.Value.IsOurs);
        var known = certificates.Select(c => c.Name).ToHashSet();
        var grants = new Grants(gathered);
        var result = new List<Gateway>();
        foreach (var entry in gathered.Of<GatewayDraft>(Kinds.Gateway))
        {
            var draft = entry.Value;
            if (!classes.TryGetValue(draft.ClassName, out var isOurs))
                found.Add(new Diagnostic("unknown-class", Severity.Warning, entry.Source.Ref, "spec.gatewayClassName",
                    $"there is no GatewayClass '{draft.ClassName}'; add one with controllerName {GatewayClassTranslator.ControllerName}",
                    Diagnostics.LeftOut, entry.Source.Location));
            if (!isOurs)
                continue;
            var listeners = draft.Gateway.Listeners;
            for (var i = listeners.Length - 1; i >= 0; i--)
                if (Resolve(found, entry.Source, draft, i, known, grants) is not { } listener)
                    listeners = listeners.RemoveAt(i);
                else if (!ReferenceEquals(listener, listeners[i]))
                    listeners = listeners.SetItem(i, listener);
            result.Add(Reuse(previous, draft.Gateway, listeners));
        }
        return result;
    }

    private static GatewayListener? Resolve(List<Diagnostic> found, ObjectSite source, GatewayDraft draft, int index, HashSet<ObjectName> known, Grants grants)
    {
        var listener = draft.Gateway.Listeners[index];
        var site = draft.Sites[index];
        if (listener.Protocol == ListenerProtocol.Http)
            return listener;
        var usable = listener.Certificates;
        for (var c = listener.Certificates.Length - 1; c >= 0; c--)
        {
            var name = listener.Certificates[c];
            var why = !grants.Allows("Gateway", source.Name.Namespace, "Secret", name) ? Grants.Missing("Secret", name)
                : !known.Contains(name) ? $"there is no usable Secret {name} of type kubernetes.io/tls"
                : null;
            if (why is null)
                continue;
            usable = usable.RemoveAt(c);
            found.Add(new Diagnostic("invalid-certificate-ref", Severity.Error, source.Ref,
                $"spec.listeners[{site.Index}].tls.certificateRefs[{c}]", why,
                usable.Length == 0 ? "the listener is left out" : "the certificate is left out", source.Location with { Line = site.CertificateLines[c] }));
        }
        if (usable.Length == 0)
            return null;
        return usable == listener.Certificates ? listener : listener with { Certificates = usable };
    }

    private static Gateway Reuse(IReadOnlyDictionary<ObjectName, Gateway> previous, Gateway draft, ImmutableArray<GatewayListener> listeners)
    {
        if (listeners == draft.Listeners)
            return draft;
        var isSame = previous.TryGetValue(draft.Name, out var old) && old.Addresses == draft.Addresses && old.Listeners.Length == listeners.Length
            && old.Listeners.Zip(listeners).All(p => p.First.RouteNamespaces == p.Second.RouteNamespaces && p.First.Name == p.Second.Name
                && p.First.Certificates.AsSpan().SequenceEqual(p.Second.Certificates.AsSpan()));
        return isSame && old!.Location == draft.Location ? old : draft with { Listeners = listeners };
    }
}

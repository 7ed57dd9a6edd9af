using System.Collections.Immutable;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>spec.ports of a Service.</summary>
internal static class ServicePorts
{
    /// <returns>By number and protocol.</returns>
    public static ImmutableArray<ServicePortDraft> Read(Fields spec, string type)
    {
        var items = spec.Items("ports");
        var ports = new List<ServicePortDraft>();
        for (var i = 0; i < items.Length; i++)
        {
            using var p = items[i].Map();
            if (p is null)
                continue;
            var name = p.Text("name") ?? "";
            if (name.Length > 0 && !Names.IsLabel(name))
                p.Get("name")?.Error("bad-name", $"'{name}' is not a service port's name: {Names.LabelForm}");
            if (name.Length == 0 && items.Length > 1)
                p.Error("missing-field", "a service with several ports must name each; add 'name'");
            var protocol = Ports.ReadProtocol(p.Get("protocol"));
            var appProtocol = p.Text("appProtocol") ?? "";
            var number = Ports.Number(p.Require("port"));
            var (target, targetName) = Target(p.Get("targetPort"), number ?? 0);
            var nodePort = Ports.NodePort(p.Get("nodePort"));
            if (type is "ClusterIP" or "ExternalName")
                nodePort = 0;
            else if (nodePort == 0 && type == "NodePort")
                spec.Report.Warning("no-node-port", $"{p.Path}.nodePort", p.At, "nothing here chooses a node port; set nodePort", "the port is not served at the node's addresses");
            if (number is not { } port)
                continue;
            if (ports.Exists(o => o.Port == port && o.Protocol == protocol))
                p.Error("port-clash", $"port {port} stands twice for {protocol.ToString().ToUpperInvariant()}; remove one");
            if (nodePort != 0 && ports.Exists(o => o.NodePort == nodePort && o.Protocol == protocol))
                p.Error("port-clash", $"nodePort {nodePort} stands twice for {protocol.ToString().ToUpperInvariant()}; remove one");
            if (name.Length > 0 && ports.Exists(o => o.Name == name))
                p.Error("duplicate", $"the port name '{name}' stands twice; rename one");
            ports.Add(new ServicePortDraft(name, protocol, port, appProtocol, target, targetName, nodePort, i));
        }
        return [.. ports.OrderBy(p => p.Port).ThenBy(p => p.Protocol)];
    }

    private static (ushort Number, string? Name) Target(Value? value, ushort port)
    {
        if (value is not { } v)
            return (port, null);
        if (v.Node is ApiScalar { Kind: ScalarKind.Text })
            return (0, Ports.Name(v) ?? "");

        // The API defaults 0 to the port itself.
        var number = (ushort)(v.Integer(0, 65535) ?? 0);
        return (number == 0 ? port : number, null);
    }
}

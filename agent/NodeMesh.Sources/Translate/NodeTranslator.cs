using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

internal static class NodeTranslator
{
    public static MeshNode Translate(ApiObject obj, Fields root)
    {
        var meta = Metadata.Read(root, obj);
        using var spec = root.Map("spec");
        spec?.Ignore("providerID", "taints", "unschedulable", "configSource", "externalID");
        var blocks = new List<IpPrefix>();
        var list = spec?.Items("podCIDRs") ?? [];
        foreach (var item in list)
            if (Ports.Block(item) is { } block)
                blocks.Add(block);
        if (spec?.Get("podCIDR") is { } single && list.Length == 0 && Ports.Block(single) is { } only)
            blocks.Add(only);

        using var status = root.Map("status");
        status?.Ignore("capacity", "allocatable", "phase", "conditions", "daemonEndpoints", "nodeInfo", "images", "volumesInUse", "volumesAttached",
            "config", "runtimeHandlers", "features", "declaredFeatures");
        var addresses = new List<IpAddr>();
        foreach (var item in status?.Items("addresses") ?? [])
        {
            using var entry = item.Map();
            if (entry is null)
                continue;
            var address = entry.Get("address");
            if (entry.Text("type") is "InternalIP" or "ExternalIP" && address is { } a && Ports.Address(a) is { } ip)
                addresses.Add(ip);
        }
        return new MeshNode(obj.Name.Name, meta.Labels, [.. addresses.Distinct()], [.. blocks.Distinct()]);
    }
}

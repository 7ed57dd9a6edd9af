using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Identities;

/// <summary>Which addresses are nodes'.</summary>
internal static class NodeAddresses
{
    public static (ImmutableHashSet<IpAddr> Here, ImmutableHashSet<IpAddr> Remote) Of(MeshSnapshot mesh, NodeFacts node)
    {
        bool IsHere(string name) => name == node.NodeName;

        // Pods on the host's network have the node's addresses; where no Node object says them, they do.
        var remote = mesh.Nodes.Where(n => !IsHere(n.Name)).SelectMany(n => n.Addresses)
            .Concat(mesh.Workloads.Where(w => w.HostNetwork && w.NodeName.Length > 0 && !IsHere(w.NodeName)).SelectMany(w => w.Addresses));
        var here = node.Addresses
            .Concat(mesh.Nodes.Where(n => IsHere(n.Name)).SelectMany(n => n.Addresses))
            .Concat(mesh.Workloads.Where(w => w.HostNetwork && (w.NodeName.Length == 0 || IsHere(w.NodeName))).SelectMany(w => w.Addresses));
        return ([.. here], [.. remote]);
    }
}

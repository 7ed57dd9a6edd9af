using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath;

/// <summary>The compiled objects, as ELF bytes.</summary>
public sealed record BpfImages(ReadOnlyMemory<byte> Connect, ReadOnlyMemory<byte> Endpoint, ReadOnlyMemory<byte> Node)
{
    internal IEnumerable<(string Name, ReadOnlyMemory<byte> Bytes)> All => [("connect", Connect), ("endpoint", Endpoint), ("node", Node)];

    /// <summary>Refuses an object whose structs are laid out otherwise than this program's.</summary>
    /// <exception cref="NodeFaultException">LayoutMismatch, naming object and struct.</exception>
    internal static void RequireSameLayout(string name, ReadOnlyMemory<byte> bytes)
    {
        BtfAbi abi;
        try
        {
            abi = BtfAbi.Read(BtfTypes.FromObject(bytes), AbiHash.Structs.Keys);
        }
        catch (InvalidDataException e)
        {
            throw new NodeFaultException(NodeFault.LayoutMismatch, $"BPF object {name} cannot be read: {e.Message}", e);
        }

        foreach (var type in abi.Structs)
        {
            if (type.Hash != AbiHash.Structs[type.Name])
            {
                throw new NodeFaultException(NodeFault.LayoutMismatch,
                    $"BPF object {name} was built with another layout of {type.Name} than this agent. Cure: build both from the same sources (make build)");
            }
        }

        if (abi.Structs.Count == 0)
            throw new NodeFaultException(NodeFault.LayoutMismatch, $"BPF object {name} holds none of NodeMesh's types; is it the right file?");
    }
}

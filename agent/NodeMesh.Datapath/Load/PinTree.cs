using NodeMesh.Native;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Load;

/// <summary>Where maps and links are pinned: one folder per layout, so that an agent never adopts what it would misread.</summary>
internal sealed class PinTree
{
    private const string Root = "nodemesh";

    private PinTree(string root)
    {
        Base = root;
        Generation = Path.Combine(root, AbiHash.Value);
        Maps = Path.Combine(Generation, "maps");
        Links = Path.Combine(Generation, "links");
    }

    public string Base { get; }

    public string Generation { get; }

    public string Maps { get; }

    public string Links { get; }

    public string Map(string name) => Path.Combine(Maps, name);

    public string Link(string name) => Path.Combine(Links, name);

    /// <summary>False when somebody removed the folders, or the file system that they were in.</summary>
    public bool HasPlace => Directory.Exists(Links);

    /// <summary>Whether a link should be pinned and is not.</summary>
    public bool LacksLink(string name) => HasPlace && !File.Exists(Link(name));

    public IEnumerable<string> LinkNames => Directory.Exists(Links) ? Directory.GetFiles(Links).Select(Path.GetFileName).OfType<string>() : [];

    public IEnumerable<string> OtherGenerations => Directory.Exists(Base) ? Directory.GetDirectories(Base).Where(d => d != Generation) : [];

    public static PinTree At(string bpffsPath) => new(Path.Combine(bpffsPath, Root));

    /// <exception cref="NodeFaultException">NoBpffs or NotPrivileged.</exception>
    public static PinTree Create(string bpffsPath)
    {
        if (!FileSystems.IsBpffs(bpffsPath))
            throw new NodeFaultException(NodeFault.NoBpffs, $"{bpffsPath} is not a BPF file system. Cure: mount -t bpf bpf {bpffsPath}");

        var tree = At(bpffsPath);
        try
        {
            tree.CreateDirectories();
        }
        catch (UnauthorizedAccessException e)
        {
            throw new NodeFaultException(NodeFault.NotPrivileged, $"{tree.Base} cannot be written. Cure: run as root, or with CAP_BPF and write access to it", e);
        }

        return tree;
    }

    /// <exception cref="IOException">Not possible there.</exception>
    /// <exception cref="UnauthorizedAccessException">Not allowed.</exception>
    public void CreateDirectories()
    {
        Directory.CreateDirectory(Maps);
        Directory.CreateDirectory(Links);
    }
}

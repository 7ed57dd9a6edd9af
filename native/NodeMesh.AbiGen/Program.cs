using NodeMesh.AbiGen;
using NodeMesh.Native.Bpf;

const string Usage = """
    Writes the C# side of the ABI from the BTF of the built anchor object.

      NodeMesh.AbiGen --write | --check

      --write  writes agent/NodeMesh.Plan/Abi.g.cs and docs/reasons.md from out/bpf/abi.bpf.o and bpf/include/nm/abi
      --check  writes nothing; exit 1 when a file is not what would be written

    To be run in the repository's root.

    Exit codes: 0 done or fresh, 1 stale, 2 wrong arguments, 3 headers and BTF disagree.
    """;

const string AnchorObject = "out/bpf/abi.bpf.o";
const string Headers = "bpf/include/nm/abi";
const string CSharp = "agent/NodeMesh.Plan/Abi.g.cs";
const string Reasons = "docs/reasons.md";

if (args is not ["--write"] and not ["--check"])
{
    Console.Error.WriteLine(Usage);
    return 2;
}

var check = args[0] == "--check";
try
{
    var abi = BtfAbi.Read(BtfTypes.FromObject(File.ReadAllBytes(AnchorObject)));
    var headers = AbiHeaders.Read(Headers);
    headers.RequireAllIn(abi);
    var reasons = headers.ReasonTexts(abi);

    var stale = new[] { (Path: CSharp, Text: CSharpWriter.Write(abi, reasons)), (Path: Reasons, Text: ReasonsPage.Write(reasons)) }
        .Where(f => !File.Exists(f.Path) || File.ReadAllText(f.Path) != f.Text)
        .ToArray();
    foreach (var (path, text) in stale)
    {
        if (check)
            Console.Error.WriteLine($"{path} is stale. Cure: make abi");
        else
            File.WriteAllText(path, text);
    }

    return check && stale.Length > 0 ? 1 : 0;
}
catch (Exception e) when (e is IOException or InvalidDataException)
{
    Console.Error.WriteLine(e.Message);
    return 3;
}

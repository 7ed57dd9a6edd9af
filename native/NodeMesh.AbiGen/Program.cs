using NodeMesh.AbiGen;
using NodeMesh.Native.Bpf;

const string Usage = """
    Writes the C# side of the ABI from the BTF of the built anchor object.

      NodeMesh.AbiGen [--check] OBJECT HEADERS CSHARP REASONS

      OBJECT   out/bpf/abi.bpf.o          HEADERS  bpf/include/nm/abi
      CSHARP   agent/NodeMesh.Plan/Abi.g.cs  REASONS  docs/reasons.md
      --check  write nothing; exit 1 when a file is not what would be written

    Exit codes: 0 done or fresh, 1 stale, 2 wrong arguments, 3 headers and BTF disagree.
    """;

var check = args.Contains("--check");
var paths = args.Where(a => a != "--check").ToArray();
if (paths.Length != 4 || paths.Any(p => p.StartsWith('-')))
{
    Console.Error.WriteLine(Usage);
    return 2;
}

try
{
    var abi = BtfAbi.Read(BtfTypes.FromObject(File.ReadAllBytes(paths[0])));
    var headers = AbiHeaders.Read(paths[1]);
    headers.RequireAllIn(abi);
    var reasons = headers.ReasonTexts(abi);

    var stale = new[] { (Path: paths[2], Text: CSharpWriter.Write(abi, reasons)), (Path: paths[3], Text: ReasonsPage.Write(reasons)) }
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

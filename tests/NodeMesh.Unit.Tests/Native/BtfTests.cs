using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Unit.Tests.Native;

public sealed class BtfTests
{
    [Test]
    public void Anchor_object_has_every_struct_with_the_hash_this_build_was_generated_from()
    {
        var abi = BtfAbi.Read(BtfTypes.FromObject(AnchorObject()));
        Assert.That(abi.Hash, Is.EqualTo(AbiHash.Value));
        Assert.That(abi.Structs.ToDictionary(s => s.Name, s => s.Hash), Is.EquivalentTo(AbiHash.Structs));
    }

    [Test]
    public void Ports_are_known_to_be_in_network_order()
    {
        var abi = BtfAbi.Read(BtfTypes.FromObject(AnchorObject()));
        var port = abi.Structs.Single(s => s.Name == "nm_frontend_key").Fields.Single(f => f.Name == "port_be");
        Assert.That((port.Scalar, port.Offset, port.Length), Is.EqualTo((AbiScalar.Be16, 16, 0)));
    }

    [Test]
    public void A_file_cut_anywhere_is_refused_and_never_misread()
    {
        var whole = AnchorObject();
        for (var length = 0; length < whole.Length; length += 97)
            Assert.Throws<InvalidDataException>(() => BtfTypes.FromObject(whole.AsMemory(0, length)), $"cut at {length}");
    }

    [Test]
    public void A_rejection_names_program_instruction_and_the_end_of_the_log()
    {
        string[] messages = ["libbpf: prog 'nm_pod_ingress': BPF program load failed: Permission denied", "libbpf: failed to load object 'endpoint'"];
        var log = "0: R1=ctx(off=0,imm=0) R10=fp0\n0: (61) r1 = *(u32 *)(r1 +4)\n1: (71) r0 = *(u8 *)(r1 +0)\nR1 invalid mem access 'scalar'\nprocessed 2 insns\n";
        var rejection = VerifierRejection.Find(messages, log)!;
        Assert.That(rejection.Program, Is.EqualTo("nm_pod_ingress"));
        Assert.That(rejection.Instruction, Is.EqualTo("1: (71) r0 = *(u8 *)(r1 +0)"));
        Assert.That(rejection.Tail, Does.EndWith("R1 invalid mem access 'scalar'\nprocessed 2 insns"));
    }

    [Test]
    public void A_load_that_failed_before_any_program_is_no_rejection() =>
        Assert.That(VerifierRejection.Find(["libbpf: map 'nm_ct': failed to create: Operation not permitted(-1)"], ""), Is.Null);

    private static byte[] AnchorObject()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            var path = Path.Combine(directory.FullName, "out", "bpf", "abi.bpf.o");
            if (File.Exists(path))
                return File.ReadAllBytes(path);
        }

        throw new FileNotFoundException("out/bpf/abi.bpf.o is not built. Cure: make bpf");
    }
}

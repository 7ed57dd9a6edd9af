using System.Globalization;
using System.Text.Json.Nodes;
using NodeMesh.Bpf.Tests.Datapath;
using NodeMesh.Bpf.Tests.Reference;

namespace NodeMesh.Bpf.Tests;

/// <summary>
/// The kernel judges every connection as the policies that were written: YAML goes the agent's whole way into tables and programs, packets through the programs, and
/// a plain reading of the same YAML says what should become of them. NODEMESH_SEED repeats a failure; NODEMESH_CASES is how many cases (`make soak`).
/// </summary>
internal sealed class ReferenceModelTests
{
    private const int CasesPerSet = 40;

    [Test]
    public void The_kernel_judges_as_the_policies_are_written()
    {
        var seed = Setting("NODEMESH_SEED", 20261126);
        var cases = Setting("NODEMESH_CASES", 10_000);
        using var box = new Box();
        box.InHost(() =>
        {
            using var kernel = new ReferenceKernel(box);
            for (var done = 0; done < cases; done += CasesPerSet, seed++)
            {
                Check(kernel, seed);
                if (done % 100_000 == 0 && done > 0)
                    TestContext.Progress.WriteLine($"{done} of {cases} cases agree; seed {seed} is next");
            }
        });
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var given) ? given : otherwise;

    private static void Check(ReferenceKernel kernel, int seed)
    {
        var random = new RandomObjects(new Random(seed));
        var documents = random.Next();
        var objects = new Objects(documents);
        var straight = seed % 2 == 0;
        var refused = kernel.Apply(Yaml.Of(documents), straight);
        Assert.That(refused, Is.Null, $"seed {seed}\n{Yaml.Of(documents)}");
        for (var i = 0; i < CasesPerSet; i++)
        {
            var traffic = random.NextTraffic(objects);
            if (Difference(kernel, objects, traffic) is { } difference)
                Fail(kernel, seed, straight, documents, traffic, difference);
        }
    }

    private static void Fail(ReferenceKernel kernel, int seed, bool straight, List<JsonObject> documents, Traffic traffic, string difference)
    {
        bool IsCounterExample(List<JsonObject> less) => kernel.Apply(Yaml.Of(less), straight) is null && Difference(kernel, new Objects(less), traffic) is not null;

        if (!IsCounterExample(documents))
            Assert.Fail($"seed {seed}: {traffic}: {difference}; seen once only, after what seeds before it had in force");
        var small = Shrink.Of(documents, IsCounterExample);
        kernel.Apply(Yaml.Of(small), straight);
        Assert.Fail($"seed {seed}: {traffic}: {Difference(kernel, new Objects(small), traffic)}\n{Yaml.Of(small)}");
    }

    /// <summary>Null when kernel and reference agree about both ends.</summary>
    private static string? Difference(ReferenceKernel kernel, Objects objects, Traffic traffic)
    {
        var reference = new PolicyReference(objects);
        var (client, server) = (objects.PodAt(traffic.From), objects.PodAt(traffic.To));
        if (client is null && server is null)
            return null;
        var ingress = server is null ? default : reference.Judge(server, ingress: true, traffic.From, traffic);
        if (client is not null && kernel.Egress(traffic) is { } out_)
        {
            var egress = reference.Judge(client, ingress: false, traffic.To, traffic);
            // Where both ends are here, the client's gate hands over what the server's policy wants the proxy for.
            if (egress.Ruling == Ruling.Allow && ingress.Ruling == Ruling.Proxy && RandomObjects.IsLocal(server!))
                egress = egress with { Ruling = Ruling.Proxy };
            if (out_ != $"{egress}")
                return $"egress of {client.Text("metadata", "name")} should be {egress} and is {out_}";
            if (kernel.WentStraight && ingress.Ruling != Ruling.Allow)
                return $"ingress of {server.Text("metadata", "name")} should be {ingress} and was passed by";
        }

        // What needs the proxy and did not come by it is refused here, so that audit has nothing to say.
        if (ingress.Ruling == Ruling.Proxy)
            ingress = ingress with { Audit = Ruling.Allow };
        if (server is not null && kernel.Ingress(traffic) is { } in_ && in_ != $"{ingress}")
            return $"ingress of {server.Text("metadata", "name")} should be {ingress} and is {in_}";
        return null;
    }
}

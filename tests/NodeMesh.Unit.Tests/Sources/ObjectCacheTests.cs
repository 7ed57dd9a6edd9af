using System.Text;
using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Sources.Kubernetes.Cache;
using NodeMesh.Testing;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>What is kept is what was said last, whole or not at all.</summary>
internal sealed class ObjectCacheTests
{
    private const string Server = "https://10.0.0.1:6443";

    private readonly List<string> _problems = [];
    private string _directory = "";

    [SetUp]
    public void MakeDirectory() => _directory = Path.Combine(Directory.CreateTempSubdirectory("nodemesh-cache-").FullName, "objects");

    [TearDown]
    public void RemoveDirectory()
    {
        _problems.Clear();
        Directory.Delete(Path.GetDirectoryName(_directory)!, recursive: true);
    }

    private string File => Path.Combine(_directory, "kubernetes.objects");

    private ObjectCache Open(string server = Server, bool inMemory = true, long room = 1 << 20, long most = 1 << 24)
    {
        var cache = new ObjectCache(_directory, server, _problems.Add) { IsMemory = _ => inMemory, RoomForChanges = room, MostBytes = most };
        cache.Open();
        return cache;
    }

    private static OriginChange Change(string kind, string name, string spec)
    {
        var apiVersion = Kinds.Find(kind)!.Preferred;
        var json = $$"""{"metadata":{"name":"{{name}}","namespace":"shop","resourceVersion":"7"},"spec":{{spec}}}""";
        var map = JsonObjects.Read(kind, apiVersion, Encoding.UTF8.GetBytes(json), out _);
        return new OriginChange($"{kind} shop/{name}", ObjectIdentifier.Run(SourceLocation.Nowhere, [map]), null);
    }

    private static OriginChange Policy(string name, string spec = """{"podSelector":{}}""") => Change("NetworkPolicy", name, spec);

    private static OriginChange Gone(string name) => new($"NetworkPolicy shop/{name}", null, null);

    private static void CompleteAll(ObjectCache cache)
    {
        foreach (var resource in Resource.All)
            cache.Complete(resource.Kind);
    }

    private static IEnumerable<string>? Policies(ObjectCache cache) => cache.Kept(Kinds.NetworkPolicy)?.Select(k => k.Origin);

    /// <summary>A file with one policy and everything complete.</summary>
    private void Fill()
    {
        using var cache = Open();
        cache.Put([Policy("a")]);
        CompleteAll(cache);
    }

    [Test]
    public void What_was_said_last_is_kept_as_it_was_said()
    {
        const string spec = """{"podSelector":{"matchLabels":{"a":"\"b\\ü\u0001"}},"ingress":[],"x":null,"y":[1,2.50,-3e7,true,false,{}]}""";
        using (var cache = Open())
        {
            cache.Put([Policy("a"), Policy("b"), Policy("c")]);
            CompleteAll(cache);
            cache.Put([Policy("b", spec)]);
            cache.Put([Gone("c")]);
        }

        using var next = Open();
        var kept = next.Kept(Kinds.NetworkPolicy)!;
        Assert.That(kept.Select(k => k.Origin), Is.EqualTo(new[] { "NetworkPolicy shop/a", "NetworkPolicy shop/b" }));
        Assert.That(Fingerprint.Of(kept[1].Map), Is.EqualTo(Fingerprint.Of(Policy("b", spec).Content!.Objects[0].Root)), "the same to every reader");
        Assert.That(next.Kept(Kinds.Pod), Is.Empty);
        Assert.That(_problems, Is.Empty);
    }

    [Test]
    public void Only_root_may_look()
    {
        Fill();
        Assert.That(System.IO.File.GetUnixFileMode(_directory), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
        Assert.That(System.IO.File.GetUnixFileMode(File), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [TestCase(true, 1)]
    [TestCase(false, 0)]
    public void Secrets_are_kept_in_memory_and_on_no_disk(bool inMemory, int secrets)
    {
        using (var cache = Open(inMemory: inMemory))
        {
            cache.Put([Change("Secret", "tls", """{"kept":"s3cr3t"}"""), Policy("a")]);
            CompleteAll(cache);
        }

        Assert.That(Encoding.UTF8.GetString(System.IO.File.ReadAllBytes(File)).Contains("s3cr3t", StringComparison.Ordinal), Is.EqualTo(inMemory));
        using var next = Open(inMemory: inMemory);
        Assert.That(next.Kept(Kinds.Secret), Has.Count.EqualTo(secrets));
        Assert.That(next.Kept(Kinds.NetworkPolicy), Has.Count.EqualTo(1));
    }

    [Test]
    public void What_was_not_heard_whole_is_nothing_to_go_by()
    {
        using (var cache = Open())
        {
            cache.Put([Policy("a")]);
            foreach (var resource in Resource.All.Where(r => r.Kind != Kinds.MeshPolicy))
                cache.Complete(resource.Kind);
        }

        using var next = Open();
        Assert.That((next.IsUsable, next.Kept(Kinds.NetworkPolicy), next.HeardUntil), Is.EqualTo((false, (IReadOnlyList<KeptObject>?)null, (DateTimeOffset?)null)));
        Assert.That(_problems, Is.Empty);
    }

    [Test]
    public void What_was_overtaken_is_left_out_while_changes_go_on()
    {
        using (var cache = Open(room: 16 * 1024))
        {
            CompleteAll(cache);
            for (var i = 0; i < 5000; i++)
            {
                cache.Put([Policy($"p{i % 10}", $$"""{"podSelector":{"matchLabels":{"n":"{{i}}"} } }""")]);
                if (i % 10 == 3)
                    cache.Put([Gone("p3")]);
            }

            Eventually.True(() =>
            {
                cache.Put([Gone("p3")]);
                return cache.Bytes < 64 * 1024;
            }, "5000 changes of 200 bytes are a megabyte, and become less");
        }

        using var next = Open();
        Assert.That(Policies(next), Is.EqualTo(new[] { 0, 1, 2, 4, 5, 6, 7, 8, 9 }.Select(i => $"NetworkPolicy shop/p{i}")));
        Assert.That(Directory.GetFiles(_directory), Is.EqualTo(new[] { File }));
        Assert.That(_problems, Is.Empty);
    }

    [Test]
    public void An_end_that_was_cut_off_is_what_was_not_written_yet()
    {
        Fill();
        var whole = System.IO.File.ReadAllBytes(File);
        using (var cache = Open())
            cache.Put([Policy("b")]);
        var longer = System.IO.File.ReadAllBytes(File);
        for (var length = whole.Length; length < longer.Length; length++)
        {
            System.IO.File.WriteAllBytes(File, longer[..length]);
            using var next = Open();
            Assert.That(Policies(next), Is.EqualTo(new[] { "NetworkPolicy shop/a" }), $"cut off after {length} of {longer.Length} bytes");
            next.Put([Policy("c")]);
        }

        using var last = Open();
        Assert.That(Policies(last), Is.EqualTo(new[] { "NetworkPolicy shop/a", "NetworkPolicy shop/c" }), "what came then was not written behind the rest of the old");
        Assert.That(_problems, Is.Empty);
    }

    [Test]
    public void A_changed_byte_anywhere_is_found_and_nothing_of_it_used()
    {
        Fill();
        var whole = System.IO.File.ReadAllBytes(File);
        for (var at = 0; at < whole.Length; at++)
        {
            var changed = (byte[])whole.Clone();
            changed[at] ^= 0x10;
            System.IO.File.WriteAllBytes(File, changed);
            using var next = Open();
            Assert.That(next.Kept(Kinds.NetworkPolicy), Is.Null, $"byte {at}");
            Assert.That(_problems, Has.Count.EqualTo(1), $"byte {at}");
            _problems.Clear();
        }
    }

    [Test]
    public void Another_servers_objects_are_not_used()
    {
        Fill();
        using var next = Open("https://10.9.9.9:6443");
        Assert.That(next.Kept(Kinds.NetworkPolicy), Is.Null);
        Assert.That(_problems, Has.Count.EqualTo(1));
        Assert.That(_problems[0], Does.Contain(Server).And.Contain("https://10.9.9.9:6443"));
    }

    [Test]
    public void What_grows_too_large_is_given_up_and_said_once()
    {
        using var cache = Open(most: 4096);
        CompleteAll(cache);
        for (var i = 0; i < 100; i++)
            cache.Put([Policy($"p{i}")]);
        Assert.That(cache.Bytes, Is.Zero);
        Assert.That(System.IO.File.Exists(File), Is.False);
        Assert.That(_problems, Has.Count.EqualTo(1));
    }

    [Test]
    public void Where_nothing_can_be_written_the_agent_goes_on_without()
    {
        System.IO.File.WriteAllText(_directory, "no directory");
        using var cache = Open();
        cache.Put([Policy("a")]);
        Assert.That(cache.Kept(Kinds.NetworkPolicy), Is.Null);
        Assert.That(_problems, Has.Count.EqualTo(1));
        System.IO.File.Delete(_directory);
    }
}

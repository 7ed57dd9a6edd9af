using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Files;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class YamlReaderTests
{
    [TestCase("1", "Number")]
    [TestCase("-3", "Number")]
    [TestCase("1.5", "Number")]
    [TestCase("0x1f", "Number")]
    [TestCase("\"1\"", "Text")]
    [TestCase("!!str 1", "Text")]
    [TestCase("yes", "Flag")]
    [TestCase("off", "Flag")]
    [TestCase("'off'", "Text")]
    [TestCase("~", "Null")]
    [TestCase("", "Null")]
    [TestCase("10.0.0.1", "Text")]
    [TestCase("fd00::1", "Text")]
    [TestCase("2026-01-01T00:00:00Z", "Text")]
    [TestCase("-", "Text")]
    public void Scalars_have_the_kinds_that_the_api_server_gives_them(string text, string kind)
    {
        var map = (ApiMap)YamlReader.Read(text == "-" ? "a: '-'" : $"a: {text}")[0]!;
        Assert.That(((ApiScalar)map["a"]!).Kind.ToString(), Is.EqualTo(kind));
    }

    [Test]
    public void Nodes_know_their_line_and_column()
    {
        var map = (ApiMap)YamlReader.Read("a: 1\nb:\n  - c: x\n")[0]!;
        var c = ((ApiMap)((ApiList)map["b"]!).Items[0])["c"]!;
        Assert.That(c.At, Is.EqualTo(new Position(3, 8)));
    }

    [Test]
    public void Several_documents_and_json_are_read()
    {
        Assert.That(YamlReader.Read("{\"a\": [1, true, null]}\n---\n---\nb: 1\n..."), Has.Count.EqualTo(3));
    }

    [TestCase("a: 1\na: 2\n", "twice")]
    [TestCase("a: *nowhere", "alias")]
    [TestCase("a: &x [*x]", "alias")]
    [TestCase("a: [1, 2", "")]
    [TestCase("a: !!binary aGk=", "tag")]
    [TestCase("? [a]\n: b", "key")]
    public void What_is_not_plain_data_is_refused(string text, string word)
    {
        Assert.That(() => YamlReader.Read(text), Throws.TypeOf<YamlRefusedException>().With.Message.Contains(word));
    }

    [Test]
    public void A_refusal_names_document_and_line()
    {
        var e = Assert.Throws<YamlRefusedException>(() => YamlReader.Read("a: 1\n---\nb: 1\nb: 2\n"))!;
        Assert.That((e.Document, e.At.Line), Is.EqualTo((2, 4)));
    }

    [Test]
    public void Merge_keys_give_way_to_what_the_map_says()
    {
        var map = (ApiMap)YamlReader.Read("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n")[0]!;
        var use = (ApiMap)map["use"]!;
        Assert.That((((ApiScalar)use["x"]!).Text, ((ApiScalar)use["y"]!).Text), Is.EqualTo(("1", "3")));
    }

    [Test]
    public void Aliases_that_multiply_are_refused()
    {
        var text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
        for (var i = 1; i < 9; i++)
            text += $"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 10))}]\n";
        Assert.That(() => YamlReader.Read(text), Throws.TypeOf<YamlRefusedException>().With.Message.Contains("aliases"));
    }

    [Test]
    public void Deep_nesting_is_refused()
    {
        Assert.That(() => YamlReader.Read(new string('[', 100_000)), Throws.TypeOf<YamlRefusedException>());
    }

    [Test]
    public void Any_damage_to_a_good_text_is_read_or_refused_and_nothing_else()
    {
        var good = Manifests.Namespaces + "\n---\n" + Manifests.Pod("a", "10.0.0.1") + "\nx: &a \"\\x41\\u0041\"\ny: *a\nz: |\n  text\n";
        var random = new Random(7);
        const string alphabet = "{}[]:,-&*!|>'\"%@`#?\n\t \\\0\u00e9~";
        for (var i = 0; i < 5000; i++)
        {
            var chars = good.ToCharArray().ToList();
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                var at = random.Next(chars.Count);
                if (random.Next(3) == 0)
                    chars.RemoveRange(at, Math.Min(random.Next(1, 20), chars.Count - at));
                else
                    chars.Insert(at, alphabet[random.Next(alphabet.Length)]);
            }
            var text = new string([.. chars]);
            Assert.That(() => ManifestFile.Read("x.yaml", text), Throws.Nothing, text);
        }
    }
}

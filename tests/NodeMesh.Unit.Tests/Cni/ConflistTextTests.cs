using System.Text.Json;
using NodeMesh.Agent.Cni;

namespace NodeMesh.Unit.Tests.Cni;

/// <summary>An entry put into lists as different owners write them, and taken out again without a trace.</summary>
public sealed class ConflistTextTests
{
    private const string Entry = """{ "type": "nodemesh-cni", "runDir": "/run/nodemesh" }""";

    private static readonly TestCaseData[] s_lists =
    [
        new TestCaseData("""
            {
              "cniVersion": "1.0.0",
              "name": "containerd-net",
              "plugins": [
                {
                  "type": "ptp",
                  "ipMasq": true,
                  "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.244.0.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }] }
                },
                {
                  "type": "portmap",
                  "capabilities": {"portMappings": true}
                }
              ]
            }

            """).SetName("as containerd's documentation has it"),
        new TestCaseData("""{"cniVersion":"0.3.1","name":"n","plugins":[{"type":"bridge"}]}""").SetName("on one line"),
        new TestCaseData("{\"name\":\"n\",\"plugins\":[\n\t{\"type\":\"ptp\", \"note\":\"ж \\\"]}\"}\n],\"cniVersion\":\"1.1.0\"}\r\n").SetName("version last, odd text, tabs"),
        new TestCaseData("""{ "cniVersion": "1.0.0", "args": { "plugins": [ { "type": "nodemesh-cni" } ] }, "plugins": [ { "type": "ptp", "inner": { "type": "nodemesh-cni" } } ] }""").SetName("names of ours elsewhere"),
    ];

    [TestCaseSource(nameof(s_lists))]
    public void It_comes_last_and_goes_without_a_trace(string list)
    {
        var with = ConflistText.With(list, CniPlugin.Type, Entry);
        var before = Types(list);
        Assert.That(Types(with), Is.EqualTo(before.Append(CniPlugin.Type)));
        Assert.That(ConflistText.With(with, CniPlugin.Type, Entry), Is.EqualTo(with), "once is enough");
        Assert.That(ConflistText.Without(with, CniPlugin.Type), Is.EqualTo(list));
        Assert.That(ConflistText.Without(list, CniPlugin.Type), Is.EqualTo(list));
    }

    [Test]
    public void An_older_form_of_it_is_replaced_where_it_stands()
    {
        var list = """{"cniVersion":"1.0.0","plugins":[{"type":"ptp"},{"type":"nodemesh-cni","old":1},{"type":"late"}]}""";
        var with = ConflistText.With(list, CniPlugin.Type, Entry);
        Assert.That(with, Is.EqualTo($$"""{"cniVersion":"1.0.0","plugins":[{"type":"ptp"},{{Entry}},{"type":"late"}]}"""));
        Assert.That(ConflistText.Without(with, CniPlugin.Type), Is.EqualTo("""{"cniVersion":"1.0.0","plugins":[{"type":"ptp"},{"type":"late"}]}"""));
    }

    [TestCase("""{"cniVersion":"1.0.0","type":"ptp"}""", "no list")]
    [TestCase("""{"cniVersion":"1.0.0","plugins":[]}""", "no plugin that makes a network")]
    [TestCase("""{"cniVersion":"0.2.0","plugins":[{"type":"ptp"}]}""", "cniVersion is \"0.2.0\"")]
    [TestCase("""{"plugins":[{"type":"ptp"}]}""", "cniVersion is \"\"")]
    [TestCase("""{"cniVersion":"1.0.0","plugins":[1]}""", "not all objects")]
    [TestCase("""{"cniVersion":"1.0.0","plugins":[{"type":"ptp"}""", "no JSON")]
    [TestCase("", "no JSON")]
    public void What_it_cannot_be_chained_into_is_refused_and_left_alone(string list, string why)
    {
        Assert.That(() => ConflistText.With(list, CniPlugin.Type, Entry), Throws.TypeOf<FormatException>().With.Message.Contains(why));
        Assert.That(ConflistText.Without(list, CniPlugin.Type), Is.EqualTo(list));
    }

    private static IEnumerable<string> Types(string list)
    {
        using var document = JsonDocument.Parse(list);
        return [.. document.RootElement.GetProperty("plugins").EnumerateArray().Select(p => p.GetProperty("type").GetString()!)];
    }
}

using System.Text.Json;
using NodeMesh.Agent.Cni;

namespace NodeMesh.Unit.Tests.Cni;

/// <summary>The plugin as a runtime starts it, without an agent: what it says by itself, and what it does when nobody answers.</summary>
public sealed class CniPluginTests
{
    // As the specification's example of a list has the last plugin called.
    private const string PrevResult = """
        {
          "ips": [ { "address": "10.1.0.5/16", "gateway": "10.1.0.1", "interface": 2 } ],
          "routes": [ { "dst": "0.0.0.0/0" } ],
          "interfaces": [
            { "name": "cni0", "mac": "00:11:22:33:44:55" },
            { "name": "veth3243", "mac": "55:44:33:22:11:11" },
            { "name": "eth0", "mac": "99:88:77:66:55:44", "sandbox": "/var/run/netns/blue" }
          ],
          "dns": { "nameservers": [ "10.1.0.1" ] }
        }
        """;

    private string _runDir = "";

    [SetUp]
    public void MakeFolder() => _runDir = Directory.CreateTempSubdirectory("nodemesh-cni").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_runDir, recursive: true);

    [Test]
    public async Task Version_needs_no_configuration()
    {
        var (code, answer, _) = await RunAsync("VERSION", "");
        Assert.That(code, Is.Zero);
        Assert.That(answer.GetProperty("cniVersion").GetString(), Is.EqualTo("1.1.0"));
        Assert.That(answer.GetProperty("supportedVersions").EnumerateArray().Select(v => v.GetString()), Is.EqualTo(CniConfig.Versions));
    }

    [Test]
    public async Task Add_of_what_is_no_pod_passes_the_result_on()
    {
        var (code, answer, _) = await RunAsync("ADD", Config(), ("CNI_ARGS", "FOO=BAR;ABC=123"));
        Assert.That(code, Is.Zero);
        Assert.That(answer.GetProperty("cniVersion").GetString(), Is.EqualTo("1.1.0"));
        Assert.That(answer.GetProperty("ips")[0].GetProperty("address").GetString(), Is.EqualTo("10.1.0.5/16"));
        Assert.That(answer.GetProperty("interfaces").GetArrayLength(), Is.EqualTo(3));
        Assert.That(answer.GetProperty("dns").GetProperty("nameservers")[0].GetString(), Is.EqualTo("10.1.0.1"));
    }

    [Test]
    public async Task Add_of_a_pod_without_an_agent_fails_when_it_shall_and_says_to_try_again()
    {
        var (code, answer, _) = await RunAsync("ADD", Config(), Pod);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(answer.GetProperty("code").GetInt32(), Is.EqualTo(11));
        Assert.That(answer.GetProperty("msg").GetString(), Does.Contain("no agent answers"));
    }

    [Test]
    public async Task Add_of_a_pod_without_an_agent_passes_when_it_shall_and_leaves_word()
    {
        var (code, answer, error) = await RunAsync("ADD", Config(mode: "fail-open"), Pod);
        Assert.That(code, Is.Zero);
        Assert.That(answer.GetProperty("ips").GetArrayLength(), Is.EqualTo(1));
        Assert.That(error, Does.Contain("shop/web starts WITHOUT its policy in force"));
        var (file, pod) = OpenedPods.Read(_runDir).Single();
        Assert.That((pod.Namespace, pod.Name, pod.Uid), Is.EqualTo(("shop", "web", "0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11")));
        Assert.That(pod.Reason, Does.Contain("no agent answers"));
        Assert.That(CodeOf(await RunAsync("DEL", Config(mode: "fail-open"), Pod)), Is.Zero);
        Assert.That(OpenedPods.Read(_runDir), Has.Exactly(1).Items, "it was so, though the pod is gone");
        OpenedPods.Forget(file);
        Assert.That(OpenedPods.Read(_runDir), Is.Empty);
    }

    [Test]
    public async Task What_add_was_told_is_kept_for_the_next_agent_until_del_or_gc()
    {
        await RunAsync("ADD", Config(), Pod);
        await RunAsync("ADD", Config(), Pod, ("CNI_CONTAINERID", "c2"));
        await RunAsync("ADD", Config(), Pod, ("CNI_CONTAINERID", "c3"));
        var kept = KeptSandboxes.Read(_runDir, _ => true);
        Assert.That(kept.Select(s => s.ContainerId), Is.EqualTo(new[] { "c1", "c2", "c3" }));
        Assert.That((kept[0].Pod.ToString(), kept[0].Uid, kept[0].Netns, kept[0].Addresses.Single().ToString(), kept[0].IsRecalled),
            Is.EqualTo(("shop/web", "0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11", "/var/run/netns/blue", "10.1.0.5", true)));
        await RunAsync("DEL", Config(), Pod);
        Assert.That(KeptSandboxes.Read(_runDir, _ => true).Select(s => s.ContainerId), Is.EqualTo(new[] { "c2", "c3" }));
        await RunAsync("GC", Config(result: "", more: """, "cni.dev/valid-attachments": [ { "containerID": "c3", "ifname": "eth0" } ]"""));
        Assert.That(KeptSandboxes.Read(_runDir, _ => true).Select(s => s.ContainerId), Is.EqualTo(new[] { "c3" }));
        Assert.That(KeptSandboxes.Read(_runDir, _ => false), Is.Empty, "its namespace is gone");
        Assert.That(KeptSandboxes.Read(_runDir, _ => true), Is.Empty, "and so is what was kept");
    }

    [Test]
    public void What_is_kept_is_bounded_and_what_makes_no_sense_is_not_kept()
    {
        for (var i = 0; i <= 2000; i++)
            KeptSandboxes.Keep(_runDir, new KeptSandbox($"c{i}", "shop", "web", "", "/var/run/netns/blue", 0, []));
        KeptSandboxes.Keep(_runDir, new KeptSandbox("c1", "shop", "other", "", "/var/run/netns/blue", 0, ["no address"]));
        Assert.That(KeptSandboxes.Read(_runDir, _ => true), Has.Count.EqualTo(2000));
        KeptSandboxes.Clear(_runDir);
        KeptSandboxes.Keep(_runDir, new KeptSandbox("c1", "shop", "other", "", "/var/run/netns/blue", 0, ["no address"]));
        Assert.That(KeptSandboxes.Read(_runDir, _ => true).Single().Addresses, Is.Empty);
        File.WriteAllText(Directory.GetFiles(_runDir, "c1", SearchOption.AllDirectories).Single(), "{");
        Assert.That(KeptSandboxes.Read(_runDir, _ => true), Is.Empty);
    }

    [TestCase("fail-closed", 11)]
    [TestCase("fail-open", 0)]
    public async Task Check_without_an_agent(string mode, int code) => Assert.That(CodeOf(await RunAsync("CHECK", Config(mode: mode), Pod)), Is.EqualTo(code));

    [TestCase("fail-closed", 50)]
    [TestCase("fail-open", 0)]
    public async Task Status_without_an_agent(string mode, int code) => Assert.That(CodeOf(await RunAsync("STATUS", Config(mode: mode, result: ""))), Is.EqualTo(code));

    [Test]
    public async Task Del_and_gc_never_fail_for_want_of_an_agent_or_an_add()
    {
        Assert.That(CodeOf(await RunAsync("DEL", Config(), Pod)), Is.Zero);
        Assert.That(CodeOf(await RunAsync("DEL", Config(result: ""), ("CNI_NETNS", ""), Pod)), Is.Zero, "without namespace and result");
        Assert.That(CodeOf(await RunAsync("GC", Config(result: "", more: """, "cni.dev/valid-attachments": [ { "containerID": "a", "ifname": "eth0" } ]"""))), Is.Zero);
    }

    [TestCase("ADD", "", "CNI_CONTAINERID", 4)]
    [TestCase("ADD", "", "CNI_NETNS", 4)]
    [TestCase("ADD", "", "CNI_IFNAME", 4)]
    [TestCase("DEL", "", "CNI_CONTAINERID", 4)]
    [TestCase("FLY", "", "", 4)]
    [TestCase("ADD", "no json", "", 6)]
    [TestCase("ADD", "[]", "", 6)]
    [TestCase("ADD", """{"cniVersion":"0.2.0"}""", "", 1)]
    [TestCase("ADD", """{"cniVersion":"9.0.0"}""", "", 1)]
    [TestCase("ADD", """{"cniVersion":"1.0.0"}""", "", 7)]
    [TestCase("CHECK", """{"cniVersion":"1.0.0"}""", "", 7)]
    [TestCase("GC", """{"cniVersion":"1.1.0"}""", "", 7)]
    [TestCase("ADD", """{"cniVersion":"1.0.0","onFailure":"shrug"}""", "", 7)]
    [TestCase("ADD", """{"cniVersion":"1.0.0","timeoutSeconds":0}""", "", 7)]
    public async Task What_is_wrong_has_the_code_of_the_specification(string command, string config, string without, int code)
    {
        var result = await RunAsync(command, config.Length > 0 ? config : Config(), Pod, (without, ""));
        Assert.That(CodeOf(result), Is.EqualTo(code));
        Assert.That(result.Answer.GetProperty("msg").GetString(), Is.Not.Empty);
        Assert.That(result.Answer.GetProperty("cniVersion").GetString(), Is.Not.Empty);
        if (without.Length > 0)
            Assert.That(result.Answer.GetProperty("msg").GetString(), Does.Contain(without));
    }

    [TestCase(PrevResult, "10.1.0.5")]
    [TestCase("""{ "ips": [ { "address": "10.0.0.1/24" }, { "address": "fd00::1/64" } ] }""", "10.0.0.1,fd00::1")]
    [TestCase("""{ "ips": [ { "address": "10.0.0.1/24", "interface": 0 }, { "address": "10.0.0.2/32", "interface": 1 } ], "interfaces": [ { "name": "cni0" }, { "name": "eth0", "sandbox": "/x" } ] }""", "10.0.0.2")]
    [TestCase("""{ "interfaces": [] }""", "")]
    public void Addresses_are_those_inside_the_pod(string result, string addresses) =>
        Assert.That(CniConfig.Read($$"""{"cniVersion":"1.0.0","prevResult":{{result}}}""").Addresses, Is.EqualTo(addresses.Split(',', StringSplitOptions.RemoveEmptyEntries)));

    [Test]
    public void The_entry_that_is_written_is_the_one_that_is_read()
    {
        var entry = CniConfig.Entry(CniPlugin.Type, "/run/a \"b\"", failsOpen: true, TimeSpan.FromSeconds(7));
        var config = CniConfig.Read($"{{\"cniVersion\":\"1.0.0\",{entry.TrimStart('{')}");
        Assert.That((config.RunDir, config.FailsOpen, config.Timeout), Is.EqualTo(("/run/a \"b\"", true, TimeSpan.FromSeconds(7))));
    }

    private static (string, string) Pod => ("CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11");

    private string Config(string mode = "fail-closed", string result = PrevResult, string more = "") =>
        $$"""{ "cniVersion": "1.1.0", "name": "dbnet", "type": "nodemesh-cni", "runDir": "{{_runDir}}", "onFailure": "{{mode}}", "timeoutSeconds": 1{{(result.Length > 0 ? $", \"prevResult\": {result}" : "")}}{{more}} }""";

    private static int CodeOf((int Code, JsonElement Answer, string Error) result) => result.Code == 0 ? 0 : result.Answer.GetProperty("code").GetInt32();

    private static async Task<(int Code, JsonElement Answer, string Error)> RunAsync(string command, string config, params (string Name, string Value)[] more)
    {
        var environment = new Dictionary<string, string?>
        {
            ["CNI_COMMAND"] = command,
            ["CNI_CONTAINERID"] = "c1",
            ["CNI_NETNS"] = "/var/run/netns/blue",
            ["CNI_IFNAME"] = "eth0",
            ["CNI_PATH"] = "/opt/cni/bin",
        };
        foreach (var (name, value) in more)
            environment[name] = value;
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CniPlugin.RunAsync(environment.GetValueOrDefault, new StringReader(config), output, error);
        using var answer = JsonDocument.Parse(output.ToString() is { Length: > 0 } text ? text : "{}");
        return (code, answer.RootElement.Clone(), error.ToString());
    }
}

using System.Net;
using NodeMesh.Agent;
using NodeMesh.Agent.Options;

namespace NodeMesh.Unit.Tests.Agent;

public class OptionValuesTests
{
    private static OptionValues Values(Dictionary<string, string[]>? line = null, Dictionary<string, string>? environment = null) =>
        new(spec => line?.GetValueOrDefault(spec.Name), name => environment?.GetValueOrDefault(name));

    [Test]
    public void The_command_line_wins_over_the_environment_and_that_over_the_default()
    {
        var environment = new Dictionary<string, string> { ["NODEMESH_PROXY_PORT"] = "2000" };
        Assert.That(Values(new() { ["--proxy-port"] = ["1000"] }, environment).One(OptionTable.ProxyPort), Is.EqualTo(1000));
        Assert.That(Values(null, environment).One(OptionTable.ProxyPort), Is.EqualTo(2000));
        Assert.That(Values().One(OptionTable.ProxyPort), Is.EqualTo(15001));
    }

    [Test]
    public void The_last_one_given_wins() =>
        Assert.That(Values(new() { ["--proxy-port"] = ["1000", "1001"] }).One(OptionTable.ProxyPort), Is.EqualTo(1001));

    [Test]
    public void A_variable_takes_a_list_where_the_option_may_be_repeated() =>
        Assert.That(Values(null, new() { ["NODEMESH_DEVICES"] = "eth0, eth1" }).Many(OptionTable.Devices), Is.EqualTo((string[])["eth0", "eth1"]));

    [Test]
    public void What_must_be_given_is_named_with_its_variable()
    {
        var failure = Assert.Throws<CommandFailure>(() => Values().One(OptionTable.ConfigDir));
        Assert.That(failure!.Code, Is.EqualTo(ExitCode.BadOptions));
        Assert.That(failure.Message, Does.Contain("NODEMESH_CONFIG_DIR"));
    }

    [TestCase("500ms", 0.5)]
    [TestCase("30s", 30)]
    [TestCase("5m", 300)]
    [TestCase("6h", 21600)]
    public void Durations_have_one_unit(string text, double seconds)
    {
        Assert.That(OptionParsers.Duration(text, out var value, out _));
        Assert.That(value.TotalSeconds, Is.EqualTo(seconds));
    }

    [TestCase("")]
    [TestCase("s")]
    [TestCase("30")]
    [TestCase("-1s")]
    [TestCase("1d")]
    [TestCase("9999999h")]
    public void Other_texts_are_no_durations(string text) => Assert.That(OptionParsers.Duration(text, out _, out _), Is.False);

    [TestCase("[::]:9464", true, "[::]:9464")]
    [TestCase("[::]:9464", false, "0.0.0.0:9464")]
    [TestCase("[::1]:9464", false, "[::1]:9464")]
    [TestCase("0.0.0.0:9464", true, "0.0.0.0:9464")]
    public void Metrics_are_served_at_every_address_that_the_node_can_have(string given, bool hasIpv6, string expected) =>
        Assert.That(SurfaceOptions.Everywhere(IPEndPoint.Parse(given), hasIpv6), Is.EqualTo(IPEndPoint.Parse(expected)));

    [Test]
    public void Sizes_of_tables_add_up()
    {
        var options = AgentOptions.ReadDatapath(Values(new() { ["--map-size"] = ["verdicts=100", "tcp-connections=200"] }));
        Assert.That((options.Maps.Verdicts, options.Maps.TcpConnections, options.Maps.Backends), Is.EqualTo((100u, 200u, 65536u)));
    }
}

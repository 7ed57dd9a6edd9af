using NodeMesh.Agent;
using NodeMesh.Agent.Commands;

namespace NodeMesh.Unit.Tests.Agent;

public class CommandLineTests
{
    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandTree.RunAsync(args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    private static IEnumerable<string> Verbs() => CommandTree.Build().Subcommands.Select(c => c.Name);

    [TestCaseSource(nameof(Verbs))]
    public async Task Help_of_every_verb_shows_examples(string verb)
    {
        var (code, output, _) = await RunAsync(verb, "--help");
        Assert.That(code, Is.Zero);
        Assert.That(output, Does.Contain("Examples:").And.Contain("nodemesh " + verb));
    }

    [TestCase("bogus")]
    [TestCase("status", "--no-such-option")]
    [TestCase("validate")]
    [TestCase("completion", "tcsh")]
    [TestCase]
    public async Task A_wrong_command_line_says_where_help_is(params string[] args)
    {
        var (code, output, error) = await RunAsync(args);
        Assert.That(code, Is.EqualTo((int)ExitCode.Usage));
        Assert.That(output, Is.Empty);
        Assert.That(error, Does.Contain("--help"));
    }

    [TestCase("nodemesh: Unrecognized command or argument 'bogus'.", "bogus")]
    [TestCase("nodemesh: --output xml: table or json expected", "check", "-o", "xml")]
    public async Task A_wrong_word_is_named_and_nothing_else(string line, params string[] args) =>
        Assert.That((await RunAsync(args)).Error.Split('\n')[..^1], Is.EqualTo(new[] { line, $"Try: nodemesh{(args.Length > 1 ? " check" : "")} --help" }));

    [Test]
    public async Task No_agent_is_an_exit_code_of_its_own()
    {
        var (code, _, error) = await RunAsync("status", "--run-dir", "/nonexistent");
        Assert.That(code, Is.EqualTo((int)ExitCode.AgentUnreachable));
        Assert.That(error.Trim().Split('\n'), Has.Length.EqualTo(1));
        Assert.That(error, Does.Contain("Cure:"));
    }

    [TestCase("--mark-shift", "31", "0 to 30")]
    [TestCase("--proxy-port", "61000", "60999")]
    [TestCase("--metrics-address", "9464", "ADDRESS:PORT")]
    [TestCase("--map-size", "nosuch=100", "there is no table nosuch")]
    [TestCase("--map-size", "verdicts=1", "16 to")]
    [TestCase("--drain-timeout", "soon", "duration")]
    [TestCase("--log-level", "loud", "debug, info")]
    [TestCase("--node-address", "node-a", "address expected")]
    public async Task A_value_that_cannot_be_names_its_option(string option, string value, string why)
    {
        var (code, _, error) = await RunAsync("agent", "--config-dir", "/", option, value);
        Assert.That(code, Is.EqualTo((int)ExitCode.BadOptions));
        Assert.That(error, Does.Contain($"{option} {value}: ").And.Contain(why));
    }

    [Test]
    public async Task A_config_directory_that_is_not_there_is_one_line_with_a_cure()
    {
        var (code, _, error) = await RunAsync("agent", "--config-dir", "/nonexistent");
        Assert.That(code, Is.EqualTo((int)ExitCode.BadOptions));
        Assert.That(error.Trim().Split('\n'), Has.Length.EqualTo(1));
        Assert.That(error, Does.Contain("--config-dir /nonexistent").And.Contain("Cure:"));
    }

    [Test]
    public async Task Check_names_libraries_compiler_and_attach_mode()
    {
        var (_, output, _) = await RunAsync("check", "-o", "json");
        Assert.That(output, Does.Contain("\"openssl\"").And.Contain("\"clang\"").And.Contain("attachMode").IgnoreCase);
    }

    [Test]
    public async Task Validate_ends_with_three_and_names_file_and_line()
    {
        var file = Path.Combine(Path.GetTempPath(), $"nodemesh-{Guid.NewGuid():N}.yaml");
        try
        {
            await File.WriteAllTextAsync(file, "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, bogus: 1}\nspec: {x: [}\n");
            var (code, output, _) = await RunAsync("validate", file);
            Assert.That(code, Is.EqualTo((int)ExitCode.InvalidInput));
            Assert.That(output, Does.Contain(file + ":").And.Contain("1 error, 0 warnings"));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public async Task A_file_that_is_not_there_is_invalid_input()
    {
        var (code, _, error) = await RunAsync("plan", "/nonexistent.yaml");
        Assert.That(code, Is.EqualTo((int)ExitCode.InvalidInput));
        Assert.That(error.Trim(), Is.EqualTo("nodemesh plan: /nonexistent.yaml: there is no such file or directory"));
    }

    [Test]
    public async Task The_examples_that_are_shipped_are_valid_and_have_a_plan()
    {
        var examples = Path.Combine(RepositoryRoot.Path, "deploy", "examples");
        Assert.That((await RunAsync("validate", examples)).Code, Is.Zero);
        var (code, output, _) = await RunAsync("plan", "--node-name", "n1", examples);
        Assert.That(code, Is.Zero);
        Assert.That(output, Does.Contain("shop/web:80/TCP"));
    }

    [TestCase("bash")]
    [TestCase("zsh")]
    [TestCase("fish")]
    public async Task Every_shell_gets_a_script_that_asks_the_binary(string shell)
    {
        var (code, output, _) = await RunAsync("completion", shell);
        Assert.That(code, Is.Zero);
        Assert.That(output, Does.Contain("[suggest:"));
    }

    [Test]
    public void Exit_codes_are_distinct_and_all_told()
    {
        Assert.That(ExitCodes.All.Select(c => c.Code), Is.EquivalentTo(Enum.GetValues<ExitCode>()));
        Assert.That(Enum.GetValues<ExitCode>().Select(c => (int)c), Is.Unique);
    }
}

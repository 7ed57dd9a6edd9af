using System.CommandLine;

namespace NodeMesh.Agent.Commands;

/// <summary>Scripts that make a shell ask this binary what could come next.</summary>
internal static class CompletionCommand
{
    private static readonly Dictionary<string, string> s_scripts = new()
    {
        ["bash"] = """
            _nodemesh() {
                local words
                words=$(nodemesh "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)
                mapfile -t COMPREPLY < <(compgen -W "${words}" -- "${COMP_WORDS[COMP_CWORD]}")
            }
            complete -o default -F _nodemesh nodemesh
            """,
        ["zsh"] = """
            #compdef nodemesh
            _nodemesh() {
                local -a words
                words=("${(@f)$(nodemesh "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
                compadd -a words
                _files
            }
            compdef _nodemesh nodemesh
            """,
        ["fish"] = """
            complete -c nodemesh -a '(nodemesh "[suggest:"(commandline -C)"]" (commandline -b | string collect) 2>/dev/null)'
            """,
    };

    public static Verb Create()
    {
        var verb = new Verb("completion", "Print the script that completes verbs and options in a shell",
            new Example("source <(nodemesh completion bash)", "In this bash"),
            new Example("nodemesh completion zsh > ~/.zfunc/_nodemesh", "For zsh, from a directory of fpath"),
            new Example("nodemesh completion fish > ~/.config/fish/completions/nodemesh.fish", "For fish"));
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong([.. s_scripts.Keys]);
        verb.Arguments.Add(shell);
        verb.Does(parse =>
        {
            parse.InvocationConfiguration.Output.WriteLine(s_scripts[parse.GetValue(shell)!]);
            return ExitCode.Ok;
        });
        return verb;
    }
}

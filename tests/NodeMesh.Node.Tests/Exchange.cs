using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>One question and its answer by socat, over whatever it speaks.</summary>
internal static class Exchange
{
    /// <param name="address">As socat has them, such as <c>UDP4:10.96.0.53:53</c> (connected) or <c>UDP4-SENDTO:...</c> (not).</param>
    /// <param name="answer">How many bytes it has, where its end is no other way to be seen: of datagrams.</param>
    public static CommandResult Ask(this Netns from, string address, string question = "question", int? answer = null) =>
        from.Run(["socat", "-t", "20", "-T", "20", "-", answer is { } bytes ? $"{address},readbytes={bytes}" : address], input: question);

    /// <summary>A datagram that is not to be answered; waits no longer than an answer takes at most.</summary>
    public static CommandResult AskInVain(this Netns from, string address) =>
        from.Run(["socat", "-t", "1", "-T", "1", "-", address], input: "question");

    /// <summary>Fails unless every one of these is answered with itself.</summary>
    public static void MustEcho(this Netns from, string address, params int[] sizes)
    {
        foreach (var size in sizes)
        {
            var question = new string('q', size);
            var answer = from.Ask(address, question, size);
            Assert.That(answer.Output.TrimEnd(), Is.EqualTo(question), $"{size} bytes: {answer.Errors}");
        }
    }

    /// <summary>Answers each datagram on a UDP port with itself, on both families.</summary>
    public static void StartEcho(this PodBox pod, int port) => pod.StartAnswers(port, "cat");

    /// <summary>Answers each datagram on a UDP port with what <paramref name="command"/> prints, on both families.</summary>
    public static void StartAnswers(this PodBox pod, int port, string command)
    {
        pod.Netns.StartServer(port, "socat", $"UDP4-RECVFROM:{port},fork,reuseaddr", $"EXEC:{command}");
        var six = pod.Netns.Start("socat", $"UDP6-RECVFROM:{port},fork,reuseaddr,ipv6only=1", $"EXEC:{command}");
        Eventually.True(() => six.HasExited || pod.Netns.Run("sh", "-c", $"ss -Hlun6 sport = :{port} | grep -q .").ExitCode == 0, $"socat listens on {port}");
    }

    /// <summary>What an nginx of a <see cref="PodBox"/> says about whom it saw.</summary>
    public static string SeenAs(this HttpAnswer answer)
    {
        var words = answer.Body.Split(' ');
        return words.Length > 4 ? words[4] : $"nobody: status {answer.Status}, curl {answer.CurlExit} {answer.Errors}";
    }
}

using System.Diagnostics;

namespace NodeMesh.Demo;

/// <summary>Tells a newcomer what is done and what was seen; remembers whether all of it happened.</summary>
internal sealed class Story
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private int _chapter;

    public int Missing { get; private set; }

    public void Chapter(string title)
    {
        Console.WriteLine();
        Console.WriteLine($"{++_chapter}. {title}");
    }

    public void Say(string text) => Console.WriteLine($"   {text}");

    /// <summary>A claim and whether it held.</summary>
    public void Saw(bool held, string claim, string evidence)
    {
        if (!held)
            Missing++;
        Console.WriteLine($"   {(held ? "yes" : "NO ")}  {claim}: {OneLine(evidence)}");
    }

    public int End()
    {
        Console.WriteLine();
        Console.WriteLine(Missing == 0
            ? $"All of it happened, in {_clock.Elapsed.TotalSeconds:0} seconds. Nothing is left on this machine."
            : $"{Missing} of the claims above did not hold (marked NO).");
        return Missing == 0 ? 0 : 1;
    }

    private static string OneLine(string text)
    {
        var line = text.ReplaceLineEndings(" ").Trim();
        return line.Length > 140 ? line[..140] + "…" : line;
    }
}

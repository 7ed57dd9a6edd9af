namespace NodeMesh.Bpf.Tests;

internal sealed class ObjectTests
{
    [TestCaseSource(typeof(BpfFiles), nameof(BpfFiles.Programs))]
    public void Every_object_loads(string name)
    {
        using var loaded = BpfFiles.Load(name);
        Assert.That(loaded.Programs, Is.Not.Empty);
    }

    [TestCaseSource(typeof(BpfFiles), nameof(BpfFiles.Programs))]
    public void Names_are_short_enough_for_the_kernel(string name)
    {
        using var loaded = BpfFiles.Load(name);
        var names = loaded.Programs.Select(p => p.Name).Where(n => n != "nm_parse").Concat(loaded.MapNames);
        Assert.That(names, Has.All.Length.LessThanOrEqualTo(15));
    }

    [Test]
    public void The_verifier_walks_no_further_than_budgeted()
    {
        var budgets = ReadBudgets();
        var measured = new Dictionary<string, uint>();
        foreach (var name in BpfFiles.Programs)
        {
            using var loaded = BpfFiles.Load(name);
            foreach (var program in loaded.Programs)
                measured.Add($"{name}/{program.Name}", program.Facts.VerifiedInstructions);
        }

        Assert.That(measured.Keys, Is.EquivalentTo(budgets.Keys), "one line of bpf/budgets.txt per program");
        foreach (var (program, instructions) in measured)
        {
            TestContext.Out.WriteLine($"{program} {instructions} of {budgets[program]}");
            if (instructions < budgets[program] / 2)
                TestContext.Out.WriteLine($"{program}: lower its budget, {instructions} is far below {budgets[program]}");
        }

        Assert.That(measured.Where(m => m.Value > budgets[m.Key]), Is.Empty);
    }

    private static Dictionary<string, uint> ReadBudgets() =>
        File.ReadAllLines(Path.Combine(BpfFiles.Repository, "bpf", "budgets.txt"))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(words => words[0], words => uint.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture));
}

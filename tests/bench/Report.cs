using System.Globalization;

namespace NodeMesh.Bench;

/// <summary>Collects rounds by contestant and prints medians, spread and the ratio to a reference.</summary>
internal sealed class Report(string title)
{
    private readonly Dictionary<string, List<Round>> _rounds = [];

    public void Add(string contestant, Round round)
    {
        if (!_rounds.TryGetValue(contestant, out var list))
            _rounds[contestant] = list = [];
        list.Add(round);
    }

    public double Median(string contestant, Func<Round, double> of) => Measure.Median(_rounds[contestant].Select(of));

    public void Print(string reference)
    {
        Console.WriteLine();
        Console.WriteLine($"{title} ({_rounds.Values.First().Count} alternating rounds; median [min - max]; ratio to {reference})");
        Console.WriteLine($"  {"",-18}{"requests/s",-34}{"process CPU us/request",-34}{"machine CPU us/request",-34}{"SYNs sent again per 10,000",-34}");
        foreach (var name in _rounds.Keys)
            Console.WriteLine($"  {name,-18}{Cell(name, reference, r => r.PerSecond),-34}{Cell(name, reference, r => r.ProcessMicrosPerRequest),-34}{Cell(name, reference, r => r.MachineMicrosPerRequest),-34}{Cell(name, reference, r => r.RetriedPerTenThousand),-34}");
    }

    private string Cell(string name, string reference, Func<Round, double> of)
    {
        var values = _rounds[name].Select(of).ToArray();
        var middle = Measure.Median(values);
        if (middle == 0)
            return "-";
        var against = Median(reference, of);
        var ratio = against == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" x{middle / against:0.00}");
        return string.Create(CultureInfo.InvariantCulture, $"{middle:0.#} [{values.Min():0.#} - {values.Max():0.#}]{ratio}");
    }
}

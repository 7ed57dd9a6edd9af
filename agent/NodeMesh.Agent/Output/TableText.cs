using System.Text;

namespace NodeMesh.Agent.Output;

/// <summary>Rows under headings, in columns as wide as they need to be. The same whether or not a person's terminal reads it, so that what works by hand works in a pipe.</summary>
internal sealed class TableText(params string[] headings)
{
    private readonly List<string[]> _rows = [];

    public TableText Row(params string[] cells)
    {
        if (cells.Length != headings.Length)
            throw new ArgumentException($"{headings.Length} cells expected", nameof(cells));
        _rows.Add([.. cells.Select(Clean)]);
        return this;
    }

    public override string ToString()
    {
        var widths = headings.Select((h, i) => _rows.Select(r => r[i].Length).Append(h.Length).Max()).ToArray();
        var text = new StringBuilder();
        foreach (var row in _rows.Prepend(headings))
        {
            var line = string.Join("   ", row.Select((cell, i) => cell.PadRight(widths[i])));
            text.Append(line.TrimEnd()).Append('\n');
        }

        return text.ToString();
    }

    // What users wrote must not move the cursor of who reads it.
    private static string Clean(string cell) =>
        cell.Length == 0 ? "-" : cell.Any(char.IsControl) ? new string([.. cell.Select(c => char.IsControl(c) ? ' ' : c)]) : cell;
}

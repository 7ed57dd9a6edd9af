using System.Text;

namespace NodeMesh.Plan;

/// <summary>A plan as text for people, support and golden files: equal plans give equal texts, ids are shown by name, private keys never.</summary>
/// <remarks>Its format is in docs/plan-text.md. The revision is left out, since it says when and not what.</remarks>
public static class PlanText
{
    /// <summary>The whole plan; a section without rows is left out. Ends with a newline.</summary>
    public static string Of(MeshPlan plan)
    {
        var text = new TextSections();
        KernelText.Write(plan, text);
        ProxyText.Write(plan.Proxy, text);
        text.Section("diagnostics", plan.Diagnostics.Select(d => d.ToString()));
        return text.ToString();
    }
}

/// <summary>"[name]" and indented lines.</summary>
internal sealed class TextSections
{
    private readonly StringBuilder _text = new();

    public void Section(string name, IEnumerable<string> lines)
    {
        var first = true;
        foreach (var line in lines)
        {
            if (first)
                _text.Append(_text.Length > 0 ? "\n" : "").Append('[').Append(name).Append("]\n");
            first = false;
            _text.Append(line).Append('\n');
        }
    }

    public override string ToString() => _text.Length == 0 ? "(empty)\n" : _text.ToString();
}

using System.Collections.Immutable;

namespace NodeMesh.Compiler.Services;

/// <summary>
/// The table of "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016, section 3.4). A backend's order of preference depends on its own
/// address and port only, so every node makes the same table, and one that goes takes hardly any place but its own with it.
/// </summary>
internal static class Maglev
{
    /// <param name="backends">In an order that is the same everywhere.</param>
    /// <param name="size">A prime.</param>
    /// <returns>For each place the index of its backend.</returns>
    public static int[] Table(ImmutableArray<BackendDraft> backends, int size)
    {
        var table = new int[size];
        Array.Fill(table, -1);
        var next = new (uint At, uint Skip)[backends.Length];
        for (var i = 0; i < next.Length; i++)
            next[i] = ((uint)(backends[i].Hash.Hi % (uint)size), (uint)(backends[i].Hash.Lo % (uint)(size - 1)) + 1);

        for (var filled = 0; filled < size;)
        {
            for (var i = 0; i < next.Length && filled < size; i++)
            {
                var (at, skip) = next[i];
                while (table[at] >= 0)
                    at = (uint)((at + (ulong)skip) % (uint)size);
                table[at] = i;
                next[i].At = (uint)((at + (ulong)skip) % (uint)size);
                filled++;
            }
        }

        return table;
    }
}

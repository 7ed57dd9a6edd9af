namespace NodeMesh.Datapath;

/// <summary>What somebody else did to what the agent holds on its node. Each is one metric label.</summary>
public enum DisturbanceKind
{
    /// <summary>Another program was put before ours on an interface, where it could pass packets around policy.</summary>
    Overtaken,

    /// <summary>A program of ours was taken off an interface or the cgroup.</summary>
    Detached,

    /// <summary>Pins were removed, or the BPF file system they were in: nothing would be left of ours when the agent ends.</summary>
    Unpinned,

    /// <summary>Another NodeMesh agent works on the same interfaces. It is not fought over them.</summary>
    SecondAgent,
}

/// <param name="What">In words, with what was done about it.</param>
public sealed record Disturbance(DisturbanceKind Kind, string What);

/// <summary>What a round has to tell besides its counts.</summary>
internal sealed class RoundNotes
{
    /// <summary>What went wrong or was put right, in words; disturbances, too.</summary>
    public List<string> Problems { get; } = [];

    public List<Disturbance> Disturbances { get; } = [];

    public void Disturbed(DisturbanceKind kind, string what)
    {
        Disturbances.Add(new Disturbance(kind, what));
        Problems.Add(what);
    }
}

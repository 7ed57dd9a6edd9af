using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources;

/// <summary>
/// Something a source has to say. Made by sources, read by <see cref="MeshWorld"/>. A source of single objects makes each an origin of its own.
/// </summary>
public sealed record SourceEvent
{
    internal SourceEvent(string source, ImmutableArray<OriginChange> changes, bool isSynced, ulong mark = 0, bool isRecalled = false)
    {
        Mark = mark;
        IsRecalled = isRecalled;
        Source = source;
        Changes = changes;
        IsSynced = isSynced;
    }

    /// <summary>Who says it.</summary>
    public string Source { get; }

    /// <summary>With this event the source has said everything up to here, by its own count; 0: it does not say.</summary>
    internal ulong Mark { get; }

    /// <summary>The source has now said all that it held when it began.</summary>
    public bool IsSynced { get; }

    /// <summary>The source cannot say yet what there is, and has said what there was before: better than nothing, but no reason to remove anything.</summary>
    public bool IsRecalled { get; }

    /// <summary>To be applied together: no snapshot shows a part of them.</summary>
    internal ImmutableArray<OriginChange> Changes { get; }
}

/// <summary>An origin's new content, or why it has none, or that it is gone.</summary>
internal sealed record OriginChange(string Origin, OriginContent? Content, Diagnostic? Problem)
{
    public bool IsGone => Content is null && Problem is null;
}

/// <summary>How much of what sources said is in a snapshot.</summary>
/// <param name="Revision">Of the snapshot.</param>
/// <param name="Marks">By source.</param>
public sealed record SourceProgress(ulong Revision, ImmutableDictionary<string, ulong> Marks)
{
    public static readonly SourceProgress None = new(0, ImmutableDictionary<string, ulong>.Empty);

    public ulong Of(string source) => Marks.GetValueOrDefault(source);
}

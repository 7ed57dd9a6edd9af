using NodeMesh.Sources.Files;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class FileTrackerTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private FileTracker _tracker = null!;

    [SetUp]
    public void Begin() => _tracker = new FileTracker();

    private static DateTimeOffset At(int milliseconds) => Start.AddMilliseconds(milliseconds);

    private static Dictionary<string, FileStamp> Listing(params (string Path, long Modified)[] files) =>
        files.ToDictionary(f => f.Path, f => new FileStamp(f.Path, f.Modified, 0, 1));

    [Test]
    public void Files_of_the_first_listing_are_due_at_once()
    {
        _tracker.Observe(Listing(("a", 1), ("b", 1)), At(0), isFirst: true);
        Assert.That(_tracker.TakeDue(At(0)), Is.EqualTo(new[] { ("a", false), ("b", false) }));
        Assert.That(_tracker.IsIdle);
    }

    [Test]
    public void A_file_is_due_once_it_has_held_still()
    {
        _tracker.Observe(Listing(("a", 1)), At(0));
        _tracker.Observe(Listing(("a", 2)), At(30));
        Assert.That(_tracker.TakeDue(At(40)), Is.Empty);
        Assert.That(_tracker.NextDue, Is.EqualTo(At(70)));
        Assert.That(_tracker.TakeDue(At(70)), Is.EqualTo(new[] { ("a", false) }));
        _tracker.Observe(Listing(("a", 2)), At(80));
        Assert.That(_tracker.NextDue, Is.Null);
    }

    [Test]
    public void A_file_that_is_moved_away_and_written_anew_was_never_gone()
    {
        _tracker.Observe(Listing(("a", 1)), At(0), isFirst: true);
        _tracker.TakeDue(At(0));
        _tracker.Observe(Listing(), At(10));
        _tracker.Observe(Listing(("a", 2)), At(20));
        Assert.That(_tracker.TakeDue(At(60)), Is.EqualTo(new[] { ("a", false) }));
    }

    [Test]
    public void A_file_that_stays_away_is_gone()
    {
        _tracker.Observe(Listing(("a", 1)), At(0), isFirst: true);
        _tracker.TakeDue(At(0));
        _tracker.Observe(Listing(), At(10));
        Assert.That(_tracker.TakeDue(At(50)), Is.EqualTo(new[] { ("a", true) }));
        Assert.That(_tracker.IsIdle);
    }

    [Test]
    public void A_touched_file_is_due_though_its_stamp_is_the_same()
    {
        _tracker.Observe(Listing(("a", 1)), At(0), isFirst: true);
        _tracker.TakeDue(At(0));
        _tracker.Touch("a", At(10));
        Assert.That(_tracker.TakeDue(At(50)), Has.Count.EqualTo(1));
    }

    [Test]
    public void Patience_with_a_half_written_file_ends()
    {
        _tracker.Observe(Listing(("a", 1)), At(0));
        var reads = 0;
        var now = 40;
        for (; _tracker.TakeDue(At(now)).Count > 0; now += 40)
        {
            reads++;
            if (!_tracker.Retry("a", At(now)))
                break;
        }
        Assert.That((reads, now), Is.EqualTo((10, 400)));
    }
}

using System.Diagnostics;
using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Files;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>A real directory and the real watcher. Waits are for a snapshot that fits; where time matters, the clock is the test's own.</summary>
internal sealed class FileSourceTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private string _directory = null!;
    private CancellationTokenSource _stop = null!;
    private Task _running = null!;
    private IAsyncEnumerator<MeshSnapshot> _snapshots = null!;

    [SetUp]
    public void Begin()
    {
        _directory = Directory.CreateTempSubdirectory("nodemesh-files-").FullName;
        _stop = new CancellationTokenSource(TimeSpan.FromMinutes(5));
    }

    [TearDown]
    public async Task End()
    {
        await _stop.CancelAsync();
        if (_running is not null)
            Assert.That(async () => await _running, Throws.InstanceOf<OperationCanceledException>());
        await _snapshots.DisposeAsync();
        _stop.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(_directory, name);
        File.WriteAllText(path, text);
        return path;
    }

    private async Task<MeshSnapshot> StartAsync(TimeProvider? time = null)
    {
        var world = new MeshWorld(1);
        var source = new FileSource(_directory, world.Events, time);
        _running = source.RunAsync(_stop.Token);
        _snapshots = world.SnapshotsAsync(_stop.Token).GetAsyncEnumerator();
        var first = await NextAsync(_ => true);
        await source.Synced;
        await world.Synced;
        return first;
    }

    private async Task<MeshSnapshot> NextAsync(Func<MeshSnapshot, bool> fits)
    {
        while (await _snapshots.MoveNextAsync().AsTask().WaitAsync(Limit))
            if (fits(_snapshots.Current))
                return _snapshots.Current;
        throw new InvalidOperationException("the snapshots ended");
    }

    /// <summary>The next snapshot, where time passes only while the source waits for a file to hold still.</summary>
    private async Task<MeshSnapshot> NextAsync(ManualTime time)
    {
        var next = NextAsync(_ => true);
        while (!next.IsCompleted)
        {
            if (time.NextDue <= FileTracker.Settle)
                time.Advance(FileTracker.Settle);
            await Task.WhenAny(next, Task.Delay(5));
        }

        return await next;
    }

    [Test]
    public async Task The_first_snapshot_has_all_that_is_there_and_temporaries_are_no_part_of_it()
    {
        Write("n.yaml", Manifests.Namespaces);
        Directory.CreateDirectory(Path.Combine(_directory, "sub/deeper"));
        Write("sub/deeper/a.yml", Manifests.Pod("a", "10.0.0.1"));
        Write(".hidden.yaml", "a: [");
        Write(".a.yml.swp", "a: [");
        Write("a.yaml~", "a: [");
        Write("#a.yaml", "a: [");
        Write("readme.txt", "a: [");
        var first = await StartAsync();
        Assert.That((first.Revision, first.Workloads.Length, first.Diagnostics.Length), Is.EqualTo((1UL, 1, 0)));
    }

    [Test]
    public async Task An_empty_directory_gives_an_empty_snapshot()
    {
        Assert.That((await StartAsync()).Namespaces, Is.Empty);
    }

    [Test]
    public async Task A_change_is_seen_by_its_notice_once_the_file_has_held_still()
    {
        Write("n.yaml", Manifests.Namespaces);
        var time = new ManualTime();
        await StartAsync(time);
        var written = time.GetUtcNow();
        Write("p.yaml", Manifests.Pod("a", "10.0.0.1"));
        Assert.That((await NextAsync(time)).Workloads, Has.Length.EqualTo(1));
        Assert.That(time.GetUtcNow() - written, Is.LessThan(TimeSpan.FromSeconds(1)), "a scan would have come later");
    }

    [Test]
    public async Task Renames_and_deletions_are_seen()
    {
        Write("n.yaml", Manifests.Namespaces);
        Write("p.yaml", Manifests.Pod("a", "10.0.0.1"));
        await StartAsync();
        var fresh = Write(".p.new", Manifests.Pod("a", "10.0.0.2"));
        File.Move(fresh, Path.Combine(_directory, "p.yaml"), overwrite: true);
        var renamed = await NextAsync(s => s.Revision > 1);
        Assert.That(renamed.Workloads.Single().Addresses.Single().ToString(), Is.EqualTo("10.0.0.2"));
        File.Delete(Path.Combine(_directory, "p.yaml"));
        Assert.That((await NextAsync(s => s.Revision > 2)).Workloads, Is.Empty);
    }

    [Test]
    public async Task A_half_written_file_is_not_judged_before_it_is_whole()
    {
        Write("n.yaml", Manifests.Namespaces);
        Write("p.yaml", Manifests.NetworkPolicy("{podSelector: {}, ingress: []}"));
        var time = new ManualTime();
        await StartAsync(time);
        var whole = Manifests.NetworkPolicy("{podSelector: {}, ingress: [{}]}");
        await using (var writer = new StreamWriter(Path.Combine(_directory, "p.yaml")))
        {
            await writer.WriteAsync(whole[..^20]);
            await writer.FlushAsync();
            Assert.That(() => time.NextDue, Is.LessThanOrEqualTo(FileTracker.Settle).After(60_000, 5));

            // It has held still and is read, which is repeated as long as there is patience with what does not parse.
            time.Advance(FileTracker.Settle);
            Assert.That(() => time.NextDue, Is.LessThanOrEqualTo(FileTracker.Settle).After(60_000, 5));
            await writer.WriteAsync(whole[^20..]);
        }

        var next = await NextAsync(time);
        Assert.That((next.Policies.Single().Ingress.Length, next.Diagnostics.Length), Is.EqualTo((1, 0)));
    }

    [Test]
    public async Task A_file_that_stays_broken_is_reported_and_keeps_what_it_held()
    {
        Write("n.yaml", Manifests.Namespaces);
        Write("p.yaml", Manifests.Pod("a", "10.0.0.1"));
        await StartAsync();
        Write("p.yaml", "a: [");
        var broken = await NextAsync(s => s.Diagnostics.Length > 0);
        Assert.That((broken.Workloads.Length, broken.Diagnostics.Single().Code), Is.EqualTo((1, "bad-yaml")));
        Write("p.yaml", Manifests.Pod("a", "10.0.0.1"));
        Assert.That((await NextAsync(s => s.Diagnostics.Length == 0)).Workloads, Has.Length.EqualTo(1));
    }

    [Test]
    public async Task A_config_map_mount_is_read_and_its_swap_is_one_change()
    {
        var mount = Directory.CreateDirectory(Path.Combine(_directory, "mount")).FullName;
        void Fill(string version, string ip)
        {
            var data = Directory.CreateDirectory(Path.Combine(mount, version)).FullName;
            File.WriteAllText(Path.Combine(data, "n.yaml"), Manifests.Namespaces);
            File.WriteAllText(Path.Combine(data, "p.yaml"), Manifests.Pod("a", ip));
            File.WriteAllText(Path.Combine(data, "q.yaml"), Manifests.Pod("b", ip + "0"));
        }

        Fill("..1", "10.0.0.1");
        Directory.CreateSymbolicLink(Path.Combine(mount, "..data"), "..1");
        foreach (var name in new[] { "n.yaml", "p.yaml", "q.yaml" })
            File.CreateSymbolicLink(Path.Combine(mount, name), Path.Combine("..data", name));
        Assert.That((await StartAsync()).Workloads, Has.Length.EqualTo(2));

        Fill("..2", "10.0.0.2");
        Directory.CreateSymbolicLink(Path.Combine(mount, "..data_tmp"), "..2");

        // rename(2) over a link to a directory, which File.Move does not do.
        using var move = Process.Start("mv", ["-T", Path.Combine(mount, "..data_tmp"), Path.Combine(mount, "..data")]);
        await move.WaitForExitAsync(_stop.Token);
        Assert.That(move.ExitCode, Is.Zero);
        Directory.Delete(Path.Combine(mount, "..1"), recursive: true);
        var swapped = await NextAsync(s => s.Revision > 1);
        Assert.That(swapped.Workloads.Select(w => w.Addresses.Single().ToString()), Is.EqualTo(new[] { "10.0.0.2", "10.0.0.20" }));
    }

    [Test]
    public async Task A_linked_directory_is_watched_and_a_circle_ends()
    {
        var elsewhere = Directory.CreateTempSubdirectory("nodemesh-linked-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(elsewhere, "n.yaml"), Manifests.Namespaces);
            Directory.CreateSymbolicLink(Path.Combine(_directory, "linked"), elsewhere);
            Directory.CreateSymbolicLink(Path.Combine(elsewhere, "back"), _directory);
            Assert.That((await StartAsync()).Namespaces, Has.Length.EqualTo(2));
            File.WriteAllText(Path.Combine(elsewhere, "p.yaml"), Manifests.Pod("a", "10.0.0.1"));
            Assert.That((await NextAsync(s => s.Revision > 1)).Workloads, Has.Length.EqualTo(1));
        }
        finally
        {
            Directory.Delete(elsewhere, recursive: true);
        }
    }

    [Test]
    public async Task A_directory_that_vanishes_is_reported_and_what_it_held_stays()
    {
        Write("n.yaml", Manifests.Namespaces);
        await StartAsync();
        Directory.Move(_directory, _directory + ".away");
        var gone = await NextAsync(s => s.Diagnostics.Length > 0);
        Assert.That((gone.Namespaces.Length, gone.Diagnostics.Single().Code), Is.EqualTo((2, "unreadable-directory")));
        Directory.Move(_directory + ".away", _directory);
        Assert.That((await NextAsync(s => s.Diagnostics.Length == 0)).Namespaces, Has.Length.EqualTo(2));
    }
}

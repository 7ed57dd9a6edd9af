using NodeMesh.Datapath;
using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tracking;
using NodeMesh.Model;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests.Datapath;

/// <summary>What the agent does with the connections that the programs track.</summary>
internal sealed class TrackingTests
{
    private Box _box = null!;
    private LoadedObjects _objects = null!;
    private BpfMap<CtKey, CtEntry> _tcp = null!;

    [SetUp]
    public void MakeTables()
    {
        _box = new Box();
        var options = _box.Options with { Maps = new MapSizes { TcpConnections = 4096, OtherConnections = 4096, Endpoints = 64 } };
        _objects = _box.InHost(() => LoadedObjects.Load(Images.Built, options, PinTree.Create(options.BpffsPath)));
        _tcp = _objects.OpenMap<CtKey, CtEntry>("nm_ct_tcp");
        using var endpoints = _objects.OpenMap<EndpointKey, EndpointEntry>("nm_endpoint");
        foreach (var ifindex in (uint[])[7, 8])
            endpoints.Set(new EndpointKey { Ifindex = ifindex }, default);
    }

    [TearDown]
    public void Drop()
    {
        _tcp.Dispose();
        _objects.Dispose();
        _box.Dispose();
    }

    private static CtKey Key(uint ifindex, ushort port) => new()
    {
        Ifindex = ifindex,
        Saddr = Addr.From(IpAddr.Parse("10.0.0.1")),
        Daddr = Addr.From(IpAddr.Parse("10.0.0.2")),
        SportBe = Be16.FromHost(port),
        DportBe = Be16.FromHost(80),
        Proto = 6,
        Direction = (byte)Direction.Egress,
    };

    private void Track(uint ifindex, ushort port, double seconds = 60, CtFlag flags = CtFlag.SeenReply, uint opener = 0, uint answerer = 0) =>
        _tcp.Set(Key(ifindex, port), new CtEntry { ExpiresNs = (ulong)((long)ConnectionTables.Now + (long)(seconds * 1e9)), Flags = (byte)flags, Opener = opener, Answerer = answerer });

    private (ulong Rows, ShareEntry Share) Share(uint ifindex)
    {
        using var use = _objects.OpenMap<ShareKey, ShareUseEntry>("nm_share_use");
        using var shares = _objects.OpenMap<ShareKey, ShareEntry>("nm_share");
        var key = new ShareKey { Ifindex = ifindex, Table = (uint)ShareTable.Tcp };
        return use.TryGet(key, out var rows) && shares.TryGet(key, out var share) ? (rows.Rows, share) : default;
    }

    [Test]
    public void A_sweep_removes_what_is_over_and_counts_the_rest_for_its_pod()
    {
        Track(7, 1);
        Track(7, 2);
        Track(7, 3, flags: CtFlag.Rst);
        Track(8, 4, seconds: -1);
        Track(0, 5, opener: 8, answerer: 7);
        using var sweeper = new ConnectionSweeper(_objects, e => Assert.Fail(e.Message), start: false);
        sweeper.Sweep();
        Assert.That(_tcp.ReadAll().Keys, Does.Not.Contain(Key(8, 4)));
        Assert.That(_tcp.Count(), Is.EqualTo(4));

        // The programs counted none of these rows, which this test wrote: so many are "lost", below zero.
        Assert.That(unchecked((long)Share(7).Share.Lost), Is.EqualTo(-2));
        Assert.That(unchecked((long)Share(8).Share.Lost), Is.EqualTo(-1), "a connection between two pods is its opener's");
        Assert.That(Share(7).Share.UntilNs, Is.GreaterThan(ConnectionTables.Now));
        Assert.That(Share((uint)ShareWhose.All).Share.Limit, Is.EqualTo(3072), "three quarters of the table");
        Assert.That(Share(7).Share.Limit, Is.EqualTo(1024), "divided among two pods and nobody");
        Assert.That(sweeper.Load.Single(l => l.Table == "nm_ct_tcp").Live, Is.EqualTo(3));
    }

    [Test]
    public void A_pod_that_is_gone_has_no_share()
    {
        using var sweeper = new ConnectionSweeper(_objects, e => Assert.Fail(e.Message), start: false);
        sweeper.Sweep();
        Assert.That(Share(8).Share.UntilNs, Is.Not.Zero);
        using (var endpoints = _objects.OpenMap<EndpointKey, EndpointEntry>("nm_endpoint"))
            endpoints.Remove(new EndpointKey { Ifindex = 8 });
        sweeper.Sweep();
        Assert.That(Share(8).Share.UntilNs, Is.Zero);
    }

    [Test]
    public void Connections_are_listed_and_flushed_by_what_was_asked_for()
    {
        Track(7, 1);
        Track(8, 2, flags: 0);
        Track(0, 3, opener: 8, answerer: 7);
        Track(8, 4, seconds: -1);
        using var tables = new ConnectionTables(_objects);
        ushort[] Ports(ConnectionFilter filter) => [.. tables.List(filter, 100).Select(c => c.SourcePort).Order()];
        Assert.That(Ports(new ConnectionFilter()), Is.EqualTo(new[] { 1, 2, 3 }), "what is over is not there");
        Assert.That(Ports(new ConnectionFilter(Ifindexes: new HashSet<uint> { 7 })), Is.EqualTo(new[] { 1, 3 }), "at either end");
        Assert.That(Ports(new ConnectionFilter(State: ConnectionState.Opening)), Is.EqualTo(new[] { 2 }));
        Assert.That(Ports(new ConnectionFilter(Port: 3)), Is.EqualTo(new[] { 3 }));
        Assert.That(Ports(new ConnectionFilter(Address: IpAddr.Parse("10.0.0.9"))), Is.Empty);
        Assert.That(Ports(new ConnectionFilter(Protocol: 17)), Is.Empty);
        Assert.That(tables.List(new ConnectionFilter(), 2), Has.Count.EqualTo(2));
        Assert.That(tables.Flush(new ConnectionFilter(Port: 1)), Is.EqualTo(1));
        Assert.That(Ports(new ConnectionFilter()), Is.EqualTo(new[] { 2, 3 }));
    }

    [Test]
    public void Translated_connections_are_listed_with_their_backend_and_counted_once()
    {
        Track(7, 1);
        Track(8, 1);
        using var translations = _objects.OpenMap<NatKey, NatEntry>("nm_nat_tcp");
        using var brief = _objects.OpenMap<NatKey, NatEntry>("nm_nat_brief");
        var way = new NatKey { Saddr = Addr.From(IpAddr.Parse("192.0.2.9")), SportBe = Be16.FromHost(4000), Daddr = Addr.From(IpAddr.Parse("192.0.2.1")), DportBe = Be16.FromHost(30080), Proto = 6 };
        var to = new NatEntry
        {
            ExpiresNs = ConnectionTables.Now + 60_000_000_000,
            Saddr = Addr.From(IpAddr.Parse("10.0.0.1")),
            SportBe = Be16.FromHost(1),
            Daddr = Addr.From(IpAddr.Parse("10.0.0.2")),
            DportBe = Be16.FromHost(80),
        };
        translations.Set(way, to);
        var back = new NatKey { Saddr = to.Daddr, SportBe = to.DportBe, Daddr = to.Saddr, DportBe = to.SportBe, Proto = 6 };
        translations.Set(back, new NatEntry { ExpiresNs = to.ExpiresNs, Saddr = way.Daddr, SportBe = way.DportBe, Daddr = way.Saddr, DportBe = way.SportBe, Flags = (byte)NatFlag.Reply });
        brief.Set(way, to with { DportBe = Be16.FromHost(81) });
        using var tables = new ConnectionTables(_objects);
        var found = tables.List(new ConnectionFilter(Port: 30080), 100).Single();
        Assert.That(found.Translation, Is.EqualTo(new Translation(IpAddr.Parse("10.0.0.1"), 1, IpAddr.Parse("10.0.0.2"), 80)));
        Assert.That(tables.ByDestination()[(IpAddr.Parse("10.0.0.2"), 80, 6)], Is.EqualTo(1));
        Assert.That(tables.Flush(new ConnectionFilter(Port: 30080)), Is.EqualTo(1));
        Assert.That((translations.Count(), brief.Count()), Is.EqualTo((0, 0)), "wherever it was, both ways");
    }

    [Test]
    public void Translations_whose_time_is_over_make_room()
    {
        using var translations = _objects.OpenMap<NatKey, NatEntry>("nm_nat_tcp");
        var (over, lives) = (new NatKey { SportBe = Be16.FromHost(1), Proto = 6 }, new NatKey { SportBe = Be16.FromHost(2), Proto = 6 });
        translations.Set(over, new NatEntry { ExpiresNs = ConnectionTables.Now - 1 });
        translations.Set(lives, new NatEntry { ExpiresNs = ConnectionTables.Now + 60_000_000_000 });
        using var sweeper = new ConnectionSweeper(_objects, e => Assert.Fail(e.Message), start: false);
        sweeper.Sweep();
        Assert.That(translations.ReadAll().Keys, Is.EqualTo(new[] { lives }));
    }
}

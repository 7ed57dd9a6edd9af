using System.Runtime.InteropServices;
using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Tracking;

/// <summary>One connection table as it was at the last count.</summary>
/// <param name="Live">Connections that are not over.</param>
/// <param name="PressureAt">From so many on, no pod gets more than its share.</param>
/// <param name="Share">What a pod may have then.</param>
public sealed record ConnectionLoad(string Table, long Live, long PressureAt, long Share);

/// <summary>
/// Clears out connections and translations whose time is over, counts the connections left and says what each pod may have (bpf/lib/share.h). On a thread
/// of its own, so that a full table never keeps a plan waiting.
/// </summary>
public sealed class ConnectionSweeper : IDisposable
{
    /// <summary>Below this no share goes, however many pods there are.</summary>
    public const long LeastShare = 256;

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);

    // Some counts may fail or come late before the programs stop holding anybody to a share.
    private static readonly TimeSpan s_valid = TimeSpan.FromSeconds(30);

    private readonly BpfMap<CtKey, CtEntry>[] _tables;
    private readonly BpfMap<NatKey, NatEntry>[] _translations;
    private readonly BpfMap<EndpointKey, EndpointEntry> _endpoints;
    private readonly BpfMap<ShareKey, ShareUseEntry> _use;
    private readonly BpfMap<ShareKey, ShareEntry> _shares;
    private readonly Action<Exception> _onFailure;
    private readonly AutoResetEvent _wake = new(false);
    private readonly Thread? _thread;
    private HashSet<uint> _owners = [];
    private volatile bool _stopping;

    internal ConnectionSweeper(LoadedObjects objects, Action<Exception> onFailure, bool start)
    {
        // In the order of enum nm_share_table.
        _tables = [objects.OpenMap<CtKey, CtEntry>(MapCatalog.ConnectionTcp), objects.OpenMap<CtKey, CtEntry>(MapCatalog.ConnectionAny)];
        _translations = [.. MapCatalog.Translations.Select(objects.OpenMap<NatKey, NatEntry>)];
        _endpoints = objects.OpenMap<EndpointKey, EndpointEntry>(MapCatalog.Endpoint);
        _use = objects.OpenMap<ShareKey, ShareUseEntry>(MapCatalog.ShareUse);
        _shares = objects.OpenMap<ShareKey, ShareEntry>(MapCatalog.Share);
        _onFailure = onFailure;
        if (!start)
            return;
        _thread = new Thread(Run) { IsBackground = true, Name = "conntrack" };
        _thread.Start();
    }

    /// <summary>Empty before the first count.</summary>
    public IReadOnlyList<ConnectionLoad> Load { get; private set; } = [];

    /// <summary>Counts at once: pods came or went, and each needs its share.</summary>
    public void Wake() => _wake.Set();

    public void Dispose()
    {
        _stopping = true;
        _wake.Set();
        _thread?.Join();
        foreach (var table in _tables)
            table.Dispose();
        foreach (var table in _translations)
            table.Dispose();
        _endpoints.Dispose();
        _use.Dispose();
        _shares.Dispose();
        _wake.Dispose();
    }

    /// <exception cref="BpfException">The kernel refused.</exception>
    internal void Sweep()
    {
        HashSet<uint> owners = [.. Pods(), (uint)ShareWhose.All];
        var load = new List<ConnectionLoad>();
        for (var table = 0u; table < _tables.Length; table++)
        {
            foreach (var owner in owners)
                _use.TryAdd(new ShareKey { Ifindex = owner, Table = table }, default);
            load.Add(Limit(table, owners, Count(_tables[table], owners)));
        }

        SweepTranslations(owners);

        foreach (var gone in _use.ReadAll().Keys.Where(k => !owners.Contains(k.Ifindex)))
        {
            _shares.Remove(gone);
            _use.Remove(gone);
        }

        Load = load;
    }

    private void Run()
    {
        while (!_stopping)
        {
            try
            {
                Sweep();
            }
            catch (BpfException e)
            {
                _onFailure(e);
            }

            _wake.WaitOne(s_interval);
        }
    }

    /// <summary>Live connections by owner; removes those whose time is over, and those of pods that are gone: nobody who gets their address or interface inherits them.</summary>
    private Dictionary<uint, ulong> Count(BpfMap<CtKey, CtEntry> table, HashSet<uint> owners)
    {
        var live = new Dictionary<uint, ulong>();
        var orphans = new List<(CtKey Key, uint Pod)>();
        Clear(table, static entry => entry.ExpiresNs, (key, entry) =>
        {
            if (PodOf(key, entry, owners) is var pod && pod != 0)
                orphans.Add((key, pod));
            else if (ConnectionTables.StateOf(entry.Flags) != ConnectionState.Closed)
                CollectionsMarshal.GetValueRefOrAddDefault(live, ConnectionTables.OwnerOf(key, entry), out _)++;
        });

        // A pod that came meanwhile has a row by now: its endpoint is written before its first packet is let through.
        var pods = orphans.Count == 0 ? [] : Pods();
        foreach (var (key, pod) in orphans.Where(o => !pods.Contains(o.Pod)))
            table.Remove(key);
        return live;
    }

    /// <summary>Removes the rows whose time is over, and shows those that stay.</summary>
    private static void Clear<TKey, TEntry>(BpfMap<TKey, TEntry> table, Func<TEntry, ulong> expiresNs, Action<TKey, TEntry> stays)
        where TKey : unmanaged
        where TEntry : unmanaged
    {
        var now = ConnectionTables.Now;
        var over = new List<TKey>();
        table.ReadAll((keys, entries) =>
        {
            for (var i = 0; i < keys.Length; i++)
            {
                if (expiresNs(entries[i]) <= now)
                    over.Add(keys[i]);
                else
                    stays(keys[i], entries[i]);
            }
        });

        foreach (var key in over)
        {
            // A new connection may have taken the row since: it is put back, unless it was made once more already.
            if (table.TryTake(key, out var taken) && expiresNs(taken) > now)
                table.TryAdd(key, taken);
        }
    }

    /// <summary>The pod at either end that is gone; 0: none is.</summary>
    private static uint PodOf(in CtKey key, in CtEntry entry, HashSet<uint> pods)
    {
        var owner = ConnectionTables.OwnerOf(key, entry);
        if (!pods.Contains(owner))
            return owner;
        return entry.Answerer != 0 && !pods.Contains(entry.Answerer) ? entry.Answerer : 0;
    }

    /// <summary>The same with translations; where the least recently used are forgotten anyway, only when pods went away since the last time.</summary>
    private void SweepTranslations(HashSet<uint> owners)
    {
        var gone = _owners.Except(owners).Any();
        _owners = owners;
        foreach (var table in _translations.Where(t => gone || t.Name != MapCatalog.NatBrief))
        {
            var orphans = new List<NatKey>();
            Clear(table, static entry => entry.ExpiresNs, (key, _) =>
            {
                if (key.Ifindex != 0 && !owners.Contains(key.Ifindex))
                    orphans.Add(key);
            });
            var pods = orphans.Count == 0 ? [] : Pods();
            foreach (var key in orphans.Where(k => !pods.Contains(k.Ifindex)))
                table.Remove(key);
        }
    }

    private HashSet<uint> Pods() => [.. _endpoints.ReadAll().Keys.Select(e => e.Ifindex)];

    private ConnectionLoad Limit(uint table, HashSet<uint> owners, Dictionary<uint, ulong> live)
    {
        var pressure = _tables[table].Facts.MaxEntries * 3L / 4;
        var share = Math.Max(LeastShare, pressure / owners.Count);
        var until = ConnectionTables.Now + (ulong)(s_valid.TotalMilliseconds * 1e6);
        var total = live.Values.Aggregate(0UL, (a, b) => a + b);
        foreach (var owner in owners)
        {
            var key = new ShareKey { Ifindex = owner, Table = table };
            var isAll = owner == (uint)ShareWhose.All;
            var counted = isAll ? total : live.GetValueOrDefault(owner);
            _use.TryGet(key, out var use);
            _shares.Set(key, new ShareEntry { UntilNs = until, Lost = unchecked(use.Rows - counted), Limit = (ulong)(isAll ? pressure : share) });
        }

        return new ConnectionLoad(_tables[table].Name, (long)total, pressure, share);
    }
}

using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Services;

/// <summary>Puts changed fragments into <see cref="ServiceTables"/>: the result is the same as that of compiling all of them from nothing.</summary>
internal sealed class ServiceEdit(ServiceTables old)
{
    private readonly RowTable<SourceKey, Fragment>.Builder _fragments = old.Fragments.ToBuilder();
    private readonly RowTable<FrontendKey, ImmutableArray<Claimant>>.Builder _claims = old.Claims.ToBuilder();
    private readonly RowTable<SourceKey, ImmutableArray<Diagnostic>>.Builder _findings = old.Findings.ToBuilder();

    // Those that changed, and those who want the same frontends as they.
    private readonly HashSet<SourceKey> _touched = [];

    /// <summary>Sources whose frontends or backends may be others now.</summary>
    public IReadOnlySet<SourceKey> Touched => _touched;

    /// <param name="changes">New fragments; null where the source is gone.</param>
    public ServiceTables Apply(IReadOnlyDictionary<SourceKey, Fragment?> changes)
    {
        foreach (var (key, next) in changes)
        {
            _touched.Add(key);
            if (old.Fragments.TryGetValue(key, out var was))
                Unclaim(was);
            if (next is null)
            {
                _fragments.Remove(key);
                continue;
            }

            _fragments.Set(key, next);
            Claim(next);
        }

        var tables = old with { Fragments = _fragments.ToTable(), Claims = _claims.ToTable() };
        foreach (var key in _touched)
            Judge(key, tables);
        tables = tables with { Findings = _findings.ToTable() };
        return old.Fragments.Count == 0 ? All(tables) : Differing(tables) ?? All(tables);
    }

    private void Claim(Fragment fragment)
    {
        foreach (var frontend in fragment.Wanted)
        {
            ImmutableArray<Claimant> rivals = _claims.TryGetValue(frontend.Key, out var others) ? others : [];
            var place = ~rivals.BinarySearch(fragment.Claimant);
            if (place == 0)
                Touch(rivals);
            _claims.Set(frontend.Key, rivals.Insert(place, fragment.Claimant));
        }
    }

    private void Unclaim(Fragment fragment)
    {
        foreach (var frontend in fragment.Wanted)
        {
            _claims.TryGetValue(frontend.Key, out var all);
            var place = all.BinarySearch(fragment.Claimant);
            var rivals = all.RemoveAt(place);
            if (place == 0)
                Touch(rivals);
            if (rivals.Length == 0)
                _claims.Remove(frontend.Key);
            else
                _claims.Set(frontend.Key, rivals);
        }
    }

    /// <summary>Who has a frontend is a matter for all who want it; who else wants it is not.</summary>
    private void Touch(ImmutableArray<Claimant> rivals)
    {
        foreach (var rival in rivals)
            _touched.Add(rival.Source);
    }

    private void Judge(SourceKey key, ServiceTables tables)
    {
        if (!tables.Fragments.TryGetValue(key, out var fragment))
        {
            _findings.Remove(key);
            return;
        }

        var lost = fragment.Wanted.Where(f => IsLostTo(tables.Claims[f.Key][0].Source))
            .GroupBy(f => (f.Field, Text: FragmentBuilder.Text(f.Key.PortBe.ToHost(), (Protocol)f.Key.Proto), Owner: tables.Claims[f.Key][0].Source))
            .Select(g => new Diagnostic("port-clash", Severity.Error, new ObjectRef(key.Kind.ToString(), key.Name), g.Key.Field,
                $"{g.Key.Text} at {string.Join(", ", g.Select(f => f.Key.Addr.ToIpAddr()).Order())} is already that of {g.Key.Owner}; choose another address or port",
                $"{g.Key.Owner} keeps it", fragment.Location));
        ImmutableArray<Diagnostic> findings = [.. fragment.Findings, .. lost];
        if (findings.Length == 0)
            _findings.Remove(key);
        else if (!old.Findings.TryGetValue(key, out var had) || !had.SequenceEqual(findings))
            _findings.Set(key, findings);

        // Gateways share a socket among their listeners, or say so themselves.
        bool IsLostTo(SourceKey first) => first != key && (first.Kind, key.Kind) != (SourceKind.Gateway, SourceKind.Gateway);
    }

    private static ServiceTables All(ServiceTables tables)
    {
        var (ports, groups, backends, ranges) = (new Dictionary<ContentHash, int>(), new Dictionary<ContentHash, int>(), new Dictionary<ContentHash, int>(), new Dictionary<ContentHash, int>());
        var use = new Use([], [], [], []);
        foreach (var (_, fragment) in tables.Fragments)
        {
            use.Fill(tables.Won(fragment));
            Count(use.Ports, ports);
            Count(use.Groups, groups);
            Count(use.Backends, backends);
            Count(use.Ranges, ranges);
        }

        var ids = new ServiceIds(IdSpace.Assign(ports), IdSpace.Assign(groups), IdSpace.Assign(backends), IdSpace.Assign(ranges));
        var rows = new RowSet(ids);
        foreach (var (_, fragment) in tables.Fragments)
            rows.Add(tables.Won(fragment));
        return tables with { Ids = ids, Rows = rows.ToRows() };
    }

    private static void Count(HashSet<ContentHash> used, Dictionary<ContentHash, int> counts)
    {
        foreach (var hash in used)
            counts[hash] = counts.GetValueOrDefault(hash) + 1;
    }

    /// <returns>Null when numbers collide.</returns>
    private ServiceTables? Differing(ServiceTables tables)
    {
        var edit = new IdsEdit(old.Ids);
        foreach (var key in _touched)
            if (tables.Fragments.TryGetValue(key, out var now))
                edit.Take(Use.Of(tables.Won(now)));
        foreach (var key in _touched)
            if (old.Fragments.TryGetValue(key, out var was))
                edit.Release(Use.Of(old.Won(was)));
        if (edit.IsDisturbed)
            return null;

        var ids = edit.ToIds();
        var (before, after) = (new RowSet(old.Ids), new RowSet(ids));
        foreach (var key in _touched)
        {
            if (old.Fragments.TryGetValue(key, out var was))
                before.Add(old.Won(was));
            if (tables.Fragments.TryGetValue(key, out var now))
                after.Add(tables.Won(now));
        }

        return tables with { Ids = ids, Rows = after.Replace(old.Rows, before, edit.Unused) };
    }

    /// <summary>The contents that a source's frontends need numbers for, each once.</summary>
    private sealed record Use(HashSet<ContentHash> Ports, HashSet<ContentHash> Groups, HashSet<ContentHash> Backends, HashSet<ContentHash> Ranges)
    {
        public static Use Of(IEnumerable<FrontendDraft> won)
        {
            var use = new Use([], [], [], []);
            use.Fill(won);
            return use;
        }

        /// <summary>In place of what it held: of ten thousand sources each may use the same four sets.</summary>
        public void Fill(IEnumerable<FrontendDraft> won)
        {
            Ports.Clear();
            Groups.Clear();
            Backends.Clear();
            Ranges.Clear();
            foreach (var frontend in won)
            {
                Ports.Add(frontend.Port.Hash);
                Add(frontend.Inside);
                Add(frontend.Outside);
                if (frontend.Ranges is { } ranges)
                    Ranges.Add(ranges.Hash);
            }
        }

        private void Add(GroupDraft group)
        {
            if (group.Slots == 0 || !Groups.Add(group.Hash))
                return;
            foreach (var backend in group.Backends)
                Backends.Add(backend.Hash);
        }
    }

    private sealed class IdsEdit(ServiceIds from)
    {
        private readonly IdEdit _ports = new(from.Ports);
        private readonly IdEdit _groups = new(from.Groups);
        private readonly IdEdit _backends = new(from.Backends);
        private readonly IdEdit _ranges = new(from.Ranges);

        public bool IsDisturbed => _ports.IsDisturbed || _groups.IsDisturbed || _backends.IsDisturbed || _ranges.IsDisturbed;

        public SharedUse Unused { get; } = new([], []);

        public ServiceIds ToIds() => new(_ports.ToSpace(), _groups.ToSpace(), _backends.ToSpace(), _ranges.ToSpace());

        public void Take(Use use)
        {
            foreach (var hash in use.Ports)
                _ports.Take(hash);
            foreach (var hash in use.Groups)
                _groups.Take(hash);
            foreach (var hash in use.Backends)
                _backends.Take(hash);
            foreach (var hash in use.Ranges)
                _ranges.Take(hash);
        }

        public void Release(Use use)
        {
            foreach (var hash in use.Ports)
                _ports.Release(hash);
            foreach (var hash in use.Groups)
                _groups.Release(hash);
            foreach (var hash in use.Backends)
                if (_backends.Release(hash))
                    Unused.Backends.Add(from.Backends.Of(hash));
            foreach (var hash in use.Ranges)
                if (_ranges.Release(hash))
                    Unused.Ranges.Add(from.Ranges.Of(hash));
        }
    }
}

using System.Collections.Immutable;
using System.Diagnostics;
using NodeMesh.Datapath.Attach;
using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Datapath.Tracking;
using NodeMesh.Model;
using NodeMesh.Native;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;

namespace NodeMesh.Datapath;

/// <param name="Ifindex">Host-side interface; 0 when it was not found.</param>
/// <param name="Attached">Both programs are on it.</param>
/// <param name="Problem">Why it was not found; empty otherwise.</param>
public sealed record EndpointStatus(ObjectName Name, int Ifindex, bool Attached, string Problem);

/// <summary>What one round did.</summary>
/// <param name="Revision">Of the plan.</param>
/// <param name="Writes">Rows written; 0 when nothing differed.</param>
/// <param name="Held">Rows left as they were because what they need could not be written, or because it is not yet time to remove.</param>
/// <param name="Drift">Rows an audit found otherwise than written; this round put them right.</param>
/// <param name="LinkChanges">Attachments made, swapped or removed, and rules and routes added.</param>
/// <param name="Problems">What else went wrong or was put right, in words.</param>
public sealed record ReconcileReport(
    ulong Revision,
    int Writes,
    int Removals,
    int Held,
    int Drift,
    int LinkChanges,
    uint Epoch,
    TimeSpan Duration,
    ImmutableArray<ReconcileFailure> Failures,
    ImmutableArray<string> Problems,
    ImmutableArray<EndpointStatus> Endpoints,
    ImmutableArray<MapFill> Fill)
{
    /// <summary>What others did to ours since the last round; in <see cref="Problems"/>, too.</summary>
    public ImmutableArray<Disturbance> Disturbances { get; init; } = [];

    /// <summary>The kernel enforces the plan. A pod whose interface is not there yet does not stand in the way.</summary>
    public bool IsConverged => Failures.IsEmpty && Endpoints.All(e => e.Ifindex == 0 || e.Attached);

    /// <summary>Some row or attachment is still missing: another round should follow.</summary>
    public bool WantsRetry => !IsConverged || Endpoints.Any(e => !e.Attached);
}

/// <summary>
/// Makes the kernel what the plan says: tables, programs on interfaces, routing rules. A round writes the difference and nothing else. One thread at a time.
/// </summary>
public sealed class DatapathReconciler : IDisposable
{
    private readonly OwnedFd[] _locks;
    private readonly LoadedObjects _objects;
    private readonly KernelTables _tables;
    private readonly DatagramCutter _cutter;
    private readonly CgroupAttacher _cgroup;
    private readonly NetlinkSocket _netlink;
    private readonly IInterfaceHooks _hooks;
    private readonly InterfaceResolver _resolver;
    private readonly ProxyRoutes _routes;
    private readonly PinTree _pins;
    private readonly PinKeeper _keeper;
    private readonly HashSet<string> _retiring = new(StringComparer.Ordinal);
    private bool _retired;

    // What the programs were put on last, and how each endpoint is since.
    private ResolvedInterfaces? _attached;
    private ImmutableArray<EndpointStatus> _endpoints = [];

    private DatapathReconciler(OwnedFd[] locks, LoadedObjects objects, PinTree pins, DatapathOptions options, CgroupAttacher cgroup, string cgroupPath, NetlinkSocket netlink, bool tcx)
    {
        _locks = locks;
        _objects = objects;
        _pins = pins;
        _keeper = new PinKeeper(options.BpffsPath, pins, objects);
        _cgroup = cgroup;
        _netlink = netlink;
        _tables = new KernelTables(objects, new RowWriter());
        _cutter = new DatagramCutter(objects, netlink);
        _hooks = tcx ? new TcxHooks(objects, pins, options) : new ClsactHooks(objects, netlink);
        _resolver = new InterfaceResolver(options, netlink, new PodNamespaces(Cgroups.Trees(cgroupPath)));
        _routes = new ProxyRoutes(options, netlink);
        Counters = new CounterReader(objects);
        RuleHits = new RuleHitReader(objects);
        ProgramTables = new ProgramTables(objects, Counters, RuleHits, TimeProvider.System);
        Connections = new ConnectionTables(objects);
        UsesTcx = tcx;
    }

    /// <summary>"tcx", or else clsact filters.</summary>
    public bool UsesTcx { get; }

    /// <summary>May be read from any thread.</summary>
    public CounterReader Counters { get; }

    /// <summary>May be read from any thread.</summary>
    public RuleHitReader RuleHits { get; }

    /// <summary>May be asked from any thread.</summary>
    public ProgramTables ProgramTables { get; }

    /// <summary>May be asked from any thread.</summary>
    public ConnectionTables Connections { get; }

    /// <summary>What happened at start that an operator may want to know.</summary>
    public IReadOnlyList<string> StartNotes => _objects.Notes;

    /// <summary>Loads the objects, adopts what an earlier agent left, and attaches to the cgroup. Tables keep what they hold until the first round.</summary>
    /// <exception cref="NodeFaultException">This node cannot run it; nothing is left behind that was not there before.</exception>
    public static DatapathReconciler Start(DatapathOptions options, BpfImages images)
    {
        var agentLock = AgentLock.Take(options.RunDirectory);
        OwnedFd? pinLock = null;
        LoadedObjects? objects = null;
        CgroupAttacher? cgroup = null;
        NetlinkSocket? netlink = null;
        var first = !Directory.Exists(PinTree.At(options.BpffsPath).Generation);
        try
        {
            ExpeditedRcu.Restore(options.RunDirectory);
            var pins = PinTree.Create(options.BpffsPath);
            pinLock = AgentLock.TakePins(pins);
            var cgroupPath = Cgroups.Find(options.CgroupPath);
            if (!FileSystems.IsCgroup2(cgroupPath))
                throw new NodeFaultException(NodeFault.NoCgroup2, $"no cgroup2 at \"{cgroupPath}\". Cure: mount -t cgroup2 none /sys/fs/cgroup, or name a cgroup2 directory with --cgroup");

            objects = LoadedObjects.Load(images, options, pins);
            netlink = new NetlinkSocket();
            cgroup = new CgroupAttacher(objects, pins, cgroupPath);
            cgroup.Attach();
            return new DatapathReconciler([agentLock, pinLock], objects, pins, options, cgroup, cgroupPath, netlink, KernelProbe.HasTcx());
        }
        catch (Exception e)
        {
            cgroup?.Dispose();
            netlink?.Dispose();
            objects?.Dispose();
            if (first)
                Cleaner.RemoveGeneration(options);
            pinLock?.Dispose();
            agentLock.Dispose();
            if (e is SyscallException { Errno: Errno.EPERM or Errno.EACCES })
                throw new NodeFaultException(NodeFault.NotPrivileged, $"{e.Message}. Cure: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON", e);
            throw;
        }
    }

    /// <summary>Counts and clears connections from now on, until it is disposed of.</summary>
    /// <param name="onFailure">When it could not once; it tries again.</param>
    public ConnectionSweeper SweepConnections(Action<Exception> onFailure) => new(_objects, onFailure, start: true);

    /// <summary>Whether somebody took off, overtook or unpinned what the last round left. Cheap, to be asked often; from the thread of the rounds.</summary>
    public bool IsDisturbed() => _hooks.IsDisturbed() || _cgroup.IsDisturbed || _keeper.IsDisturbed;

    /// <summary>Whether there are pods that their processes will show, and whether one does now. Cheap, to be asked often; from the thread of the rounds.</summary>
    public bool AwaitsPods => _resolver.AwaitsProcesses;

    /// <inheritdoc cref="AwaitsPods"/>
    public bool HasPodArrived() => _resolver.HasArrival();

    /// <summary>One round.</summary>
    /// <param name="removals">Whether rows and links that the plan does not name are removed: not before every source said it is synced.</param>
    /// <param name="look">Also looks at the host's interfaces and at what others may have done to what the last round left. Without it only the plan is carried out: for when
    /// there was no notice of an interface or address since the last round, and that one had converged and used the same <paramref name="removals"/>.</param>
    /// <param name="audit">Also reads the kernel's tables back first, and drops the counters of interfaces and rules that are gone.</param>
    /// <exception cref="SyscallException">Interfaces cannot be read: nothing was changed.</exception>
    public ReconcileReport Reconcile(MeshPlan plan, bool removals, bool look = true, bool audit = false)
    {
        look |= audit;
        var started = Stopwatch.GetTimestamp();
        var tally = new RoundTally();
        var notes = new RoundNotes();
        var problems = notes.Problems;
        var drift = audit ? _tables.Audit() : 0;
        var resolved = _resolver.Resolve(plan.Kernel.Endpoints, look, anew: audit);
        _tables.SetDesired(plan.Kernel, resolved.Interfaces);
        if (look)
            _keeper.Keep(notes);

        // Routes before the rows that lead to them. They slow every route lookup of the node a little, so they are there only once
        // something was handed over; and they stay, since open connections with the proxy outlive the rows.
        var linkChanges = NeedsProxy(plan.Proxy) ? _routes.Ensure(problems) : 0;
        if (look)
            linkChanges += _cgroup.Keep(notes);

        // Rows first, then links: a pod's first packet finds its policy.
        _tables.Upsert(tally, removals);
        if (look || !ReferenceEquals(resolved, _attached))
            linkChanges += Attach(plan.Kernel.Endpoints, resolved, look, removals, notes);

        if (removals)
        {
            _tables.Remove(tally);
            if (tally is { Failures.Count: > 0, Removals: > 0 })
                UpsertAgain(tally);
            RetireOtherGenerations(problems);
            _cutter.Cut(_tables, plan.Kernel.Endpoints, resolved.Interfaces, problems);
        }

        if (audit)
        {
            Counters.Retire(RtLinks.Dump(_netlink).Select(i => (uint)i.Ifindex).ToHashSet());
            if (removals)
                RuleHits.Retire(plan.Names.Rules);
        }

        _tables.Finish();
        return new ReconcileReport(
            plan.Revision, tally.Writes, tally.Removals, tally.Held, drift, linkChanges, _tables.Epoch, Stopwatch.GetElapsedTime(started),
            [.. tally.Failures], [.. problems], _endpoints, [.. _tables.Fill])
        {
            Disturbances = [.. notes.Disturbances],
        };
    }

    /// <summary>Lets go of everything; what is in the kernel stays in force.</summary>
    public void Dispose()
    {
        _hooks.Dispose();
        _cgroup.Dispose();
        _tables.Dispose();
        ProgramTables.Dispose();
        Connections.Dispose();
        Counters.Dispose();
        RuleHits.Dispose();
        _netlink.Dispose();
        _objects.Dispose();
        foreach (var held in _locks)
            held.Dispose();
    }

    private static bool NeedsProxy(ProxyPlan proxy) => proxy.Services.Count > 0 || proxy.Policy.Http.Count > 0;

    /// <summary>What was removed may have made the room that was missing.</summary>
    private void UpsertAgain(RoundTally tally)
    {
        tally.Failures.Clear();
        tally.Held = 0;
        _tables.Upsert(tally, removals: true);
        _tables.Remove(tally);
    }

    /// <summary>Pins of agents with another layout enforced until now; from here on ours do, where they are.</summary>
    private void RetireOtherGenerations(List<string> problems)
    {
        if (_retired)
            return;
        _retired = true;
        foreach (var directory in _pins.OtherGenerations.ToArray())
        {
            var kept = Cleaner.RemovePins(directory, (name, ifindex) => _resolver.AwaitsProcesses && name.StartsWith(HookTarget.EndpointPrefix, StringComparison.Ordinal) && !IsGuarded(ifindex)).Kept;
            _retired &= kept == 0;
            if (kept == 0)
                problems.Add($"took over from {directory}, an agent with another layout");
            else if (_retiring.Add(directory))
                problems.Add($"{kept} gates of {directory}, an agent with another layout, stay on their interfaces until every pod of the node is found: one that is not may be behind them");
        }
    }

    private bool IsGuarded(int ifindex) => HookTarget.OfEndpoint(ifindex).All(_hooks.IsAttached);

    private int Attach(ImmutableArray<EndpointPlan> endpoints, ResolvedInterfaces resolved, bool look, bool removals, RoundNotes notes)
    {
        var targets = resolved.Interfaces.Values.SelectMany(l => HookTarget.OfEndpoint(l.Ifindex))
            .Concat(resolved.Devices.SelectMany(d => HookTarget.OfDevice(d.Ifindex)))
            .ToArray();

        // While some pod is not found no gate of an earlier agent comes off: it may be the one behind it. That ends by itself, as the pod is found or deleted, and not by a
        // time after which it would be open.
        var changes = _hooks.Sync(targets, look, !removals ? HookRemovals.None : _resolver.AwaitsProcesses ? HookRemovals.ButEarlierPods : HookRemovals.All, notes);
        _attached = resolved;
        _endpoints = [.. endpoints.Select(endpoint => resolved.Interfaces.TryGetValue(endpoint, out var link)
            ? new EndpointStatus(endpoint.Name, link.Ifindex, IsGuarded(link.Ifindex), "")
            : new EndpointStatus(endpoint.Name, 0, false, resolved.Missing.GetValueOrDefault(endpoint, "")))];
        return changes;
    }
}

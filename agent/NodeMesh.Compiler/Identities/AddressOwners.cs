using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Identities;

/// <summary>Which pod has an address. Sources give each address to one pod; should they not, this does, and then every change costs a look at all pods.</summary>
/// <param name="Contested">Some pod says that it has an address which is another's.</param>
internal sealed record AddressOwners(RowTable<IpAddr, Workload> Table, bool Contested, ImmutableArray<Diagnostic> Findings)
{
    public static readonly AddressOwners Empty = new(RowTable<IpAddr, Workload>.Empty, false, []);

    /// <param name="changes">Pods that came, went or changed since <paramref name="old"/>.</param>
    public static AddressOwners Run(ImmutableArray<Workload> workloads, IReadOnlyList<(Workload? Old, Workload? New)> changes, AddressOwners old)
    {
        if (old.Contested || old.Table.Count == 0)
            return Of(workloads);
        var table = old.Table.ToBuilder();
        foreach (var (was, _) in changes)
            foreach (var address in AddressesOf(was))
                table.Remove(address);
        foreach (var (_, now) in changes)
            foreach (var address in AddressesOf(now))
            {
                if (table.TryGetValue(address, out var owner) && !ReferenceEquals(owner, now))
                    return Of(workloads);
                table.Set(address, now!);
            }

        return old with { Table = table.ToTable() };
    }

    private static ImmutableArray<IpAddr> AddressesOf(Workload? pod) => pod is null || pod.HostNetwork ? [] : pod.Addresses;

    private static AddressOwners Of(ImmutableArray<Workload> workloads)
    {
        var owners = new Dictionary<IpAddr, Workload>();
        var findings = ImmutableArray.CreateBuilder<Diagnostic>();
        var contested = false;

        // A pod on its way out may still be listed with an address that a new pod has already got. And so may every pod of a node that started anew, until it has
        // started, too: what the runtime told is so now.
        foreach (var pod in workloads.Where(w => !w.HostNetwork).OrderBy(w => w.Terminating).ThenBy(w => string.IsNullOrEmpty(w.Attachment.Sandbox)).ThenBy(w => w.Name))
        {
            foreach (var address in pod.Addresses)
            {
                if (owners.TryAdd(address, pod) || ReferenceEquals(owners[address], pod))
                    continue;
                contested = true;
                if (!pod.Terminating)
                    findings.Add(new Diagnostic("duplicate-address", Severity.Warning, new ObjectRef("Pod", pod.Name), "status.podIPs",
                        $"{address} is also the address of Pod {owners[address].Name}", $"the address is taken for Pod {owners[address].Name}", pod.Location));
            }
        }

        return new AddressOwners(RowTable<IpAddr, Workload>.From(owners), contested, findings.ToImmutable());
    }
}

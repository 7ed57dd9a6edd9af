using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Plan;

/// <summary>Judges as nm_policy_decide in the kernel does, by the same rows. Held equal to it by a property test.</summary>
public static class PolicyJudge
{
    /// <summary>Longest matching nm_identity row; World when there is none.</summary>
    public static uint IdentityOf(PolicyPlan policy, IpAddr address) => IdentityOf(policy, IpPrefix.Host(address));

    /// <summary>The same of a block: the longest row that covers all of it.</summary>
    public static uint IdentityOf(PolicyPlan policy, IpPrefix block)
    {
        for (var bits = block.Bits; bits >= 0; bits--)
        {
            var key = new IdentityKey { PrefixBits = (uint)bits, Addr = Addr.From(IpPrefix.Create(block.Address, bits).Address) };
            if (policy.Identities.TryGetValue(key, out var entry))
                return entry.Identity;
        }

        return (uint)IdentityId.World;
    }

    /// <summary>The verdict for one peer and destination port, and the request rules when it is Redirect.</summary>
    /// <param name="set">The judged pod's policy set; 0 allows everything.</param>
    /// <param name="port">For ICMP the type in the high byte and the code in the low one.</param>
    public static Verdict Judge(PolicyPlan policy, uint set, Direction direction, uint peer, Protocol protocol, ushort port, out HttpPolicyPlan? http)
    {
        http = null;
        if (set == 0)
            return Verdict.Allow;
        if (Find(policy, set, direction, peer, protocol, port) is not { } row)
            return Verdict.None;
        policy.Http.TryGetValue(row.Key, out http);
        return (Verdict)row.Value.Verdict;
    }

    /// <summary>What a peer is to a policy set; 0: none of its rules names such peers.</summary>
    public static uint ClassOf(PolicyPlan policy, uint set, Direction direction, uint peer) =>
        policy.PeerGroups.TryGetValue(new PeerGroupKey { Identity = peer }, out var group)
        && policy.Classes.TryGetValue(new ClassKey { Set = set, Group = group.Group, Direction = (byte)direction }, out var entry) ? entry.Klass : 0;

    /// <summary>The row that decides; null: none, which is closed.</summary>
    public static KeyValuePair<VerdictKey, VerdictEntry>? Find(PolicyPlan policy, uint set, Direction direction, uint peer, Protocol protocol, ushort port)
    {
        var klass = ClassOf(policy, set, direction, peer);
        for (var bits = (uint)VerdictBits.Full; bits >= (uint)VerdictBits.Any; bits--)
        {
            var key = VerdictRows.Key(set, klass, direction, bits, (byte)protocol, port);
            if (policy.Verdicts.TryGetValue(key, out var entry))
                return new KeyValuePair<VerdictKey, VerdictEntry>(key, entry);
            if (bits == (uint)VerdictBits.Proto)
                bits = (uint)VerdictBits.Any + 1;
        }

        return null;
    }
}

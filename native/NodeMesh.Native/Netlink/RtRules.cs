namespace NodeMesh.Native.Netlink;

public enum IpFamily : byte
{
    V4 = 2,
    V6 = 10,
}

/// <summary>`ip rule pref P [iif I] fwmark M/mask lookup T`.</summary>
/// <param name="InputInterface">Name; empty for any.</param>
/// <param name="Protocol">Who put it there (RTPROT_*); ours have a number of their own.</param>
public sealed record IpRule(IpFamily Family, uint Preference, string InputInterface, uint Mark, uint MarkMask, uint Table, byte Protocol)
{
    public override string ToString() =>
        $"{(Family == IpFamily.V4 ? "IPv4" : "IPv6")} rule {Preference}{(InputInterface.Length > 0 ? " iif " + InputInterface : "")} fwmark 0x{Mark:x}/0x{MarkMask:x} lookup {Table}";
}

/// <summary>`ip route local default dev lo table T`: every packet looked up there is delivered on this host.</summary>
public sealed record LocalDefaultRoute(IpFamily Family, uint Table, byte Protocol)
{
    public override string ToString() => $"{(Family == IpFamily.V4 ? "IPv4" : "IPv6")} route local default dev lo table {Table}";
}

/// <summary>Policy routing rules and the one kind of route that the hand-over to the proxy needs.</summary>
public static class RtRules
{
    public const uint MainTable = 254;

    private const ushort NewRoute = 24;
    private const ushort DelRoute = 25;
    private const ushort GetRoute = 26;
    private const ushort NewRule = 32;
    private const ushort DelRule = 33;
    private const ushort GetRule = 34;
    private const byte ToTable = 1;
    private const byte TypeLocal = 2;
    private const byte ScopeHost = 254;
    private const uint LoopbackIfindex = 1;
    private const ushort RuleInput = 3;
    private const ushort RulePriority = 6;
    private const ushort RuleMark = 10;
    private const ushort RuleTable = 15;
    private const ushort RuleMask = 16;
    private const ushort RuleProtocol = 21;
    private const ushort RouteOutput = 4;
    private const ushort RouteTable = 15;

    /// <summary>struct fib_rule_hdr and struct rtmsg are alike in size and in where family and table stand.</summary>
    private struct Header
    {
        public byte Family;
        public byte DestinationLength;
        public byte SourceLength;
        public byte Tos;
        public byte Table;
        public byte RouteProtocol;
        public byte RouteScope;
        public byte ActionOrType;
        public uint Flags;
    }

    /// <exception cref="SyscallException">The kernel refused.</exception>
    public static List<IpRule> DumpRules(NetlinkSocket socket, IpFamily family)
    {
        var rules = new List<IpRule>();
        socket.Request("RTM_GETRULE", family.ToString(), new NetlinkRequest(GetRule, NetlinkRequest.Dump).Header(new Header { Family = (byte)family }),
            (type, payload) =>
            {
                if (type != NewRule)
                    return;
                var attributes = new NetlinkAttributes(payload[12..]);
                rules.Add(new IpRule(
                    family, (uint)attributes.Int(RulePriority, 0), attributes.Text(RuleInput), (uint)attributes.Int(RuleMark, 0),
                    (uint)attributes.Int(RuleMask, 0), (uint)attributes.Int(RuleTable, payload[4]), attributes.Byte(RuleProtocol, 0)));
            }, rules.Clear);
        return rules;
    }

    /// <summary>No error when it is there already.</summary>
    public static void Add(NetlinkSocket socket, IpRule rule) =>
        Change(socket, "RTM_NEWRULE", rule.ToString(), Request(rule, NewRule, NetlinkRequest.Create | NetlinkRequest.Exclusive | NetlinkRequest.Ack), Errno.EEXIST);

    /// <summary>No error when it is not there.</summary>
    public static void Remove(NetlinkSocket socket, IpRule rule) =>
        Change(socket, "RTM_DELRULE", rule.ToString(), Request(rule, DelRule, NetlinkRequest.Ack), Errno.ENOENT);

    /// <summary>The routes of this shape in any table.</summary>
    /// <exception cref="SyscallException">The kernel refused.</exception>
    public static List<LocalDefaultRoute> DumpLocalDefaults(NetlinkSocket socket, IpFamily family)
    {
        var routes = new List<LocalDefaultRoute>();
        socket.Request("RTM_GETROUTE", family.ToString(), new NetlinkRequest(GetRoute, NetlinkRequest.Dump).Header(new Header { Family = (byte)family }),
            (type, payload) =>
            {
                if (type == NewRoute && payload[1] == 0 && payload[7] == TypeLocal)
                    routes.Add(new LocalDefaultRoute(family, (uint)new NetlinkAttributes(payload[12..]).Int(RouteTable, payload[4]), payload[5]));
            }, routes.Clear);
        return routes;
    }

    /// <summary>No error when it is there already.</summary>
    public static void Add(NetlinkSocket socket, LocalDefaultRoute route) =>
        Change(socket, "RTM_NEWROUTE", route.ToString(), Request(route, NewRoute, NetlinkRequest.Create | NetlinkRequest.Exclusive | NetlinkRequest.Ack), Errno.EEXIST);

    /// <summary>No error when it is not there.</summary>
    public static void Remove(NetlinkSocket socket, LocalDefaultRoute route) =>
        Change(socket, "RTM_DELROUTE", route.ToString(), Request(route, DelRoute, NetlinkRequest.Ack), NoSuchRoute);

    private const int NoSuchRoute = 3; // ESRCH

    private static NetlinkRequest Request(IpRule rule, ushort type, int flags)
    {
        var request = new NetlinkRequest(type, (ushort)flags)
            .Header(new Header { Family = (byte)rule.Family, Table = LowTable(rule.Table), ActionOrType = ToTable })
            .Attribute(RulePriority, rule.Preference)
            .Attribute(RuleMark, rule.Mark)
            .Attribute(RuleMask, rule.MarkMask)
            .Attribute(RuleTable, rule.Table)
            .Attribute(RuleProtocol, [rule.Protocol]);
        return rule.InputInterface.Length > 0 ? request.Attribute(RuleInput, rule.InputInterface) : request;
    }

    private static NetlinkRequest Request(LocalDefaultRoute route, ushort type, int flags) =>
        new NetlinkRequest(type, (ushort)flags)
            .Header(new Header
            {
                Family = (byte)route.Family,
                Table = LowTable(route.Table),
                RouteProtocol = route.Protocol,
                RouteScope = ScopeHost,
                ActionOrType = TypeLocal,
            })
            .Attribute(RouteOutput, LoopbackIfindex)
            .Attribute(RouteTable, route.Table);

    private static byte LowTable(uint table) => table < 256 ? (byte)table : (byte)0;

    private static void Change(NetlinkSocket socket, string call, string subject, NetlinkRequest request, int harmless)
    {
        var errno = socket.TryRequest(request);
        if (errno != 0 && errno != harmless)
            throw new SyscallException(call, subject, errno);
    }
}

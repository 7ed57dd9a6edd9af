using System.Globalization;
using Grpc.Core;
using NodeMesh.Datapath;
using NodeMesh.Datapath.Tracking;
using NodeMesh.Model;

namespace NodeMesh.Agent.Api;

/// <summary>Tracked connections in the words of the API.</summary>
internal static class ConnectionMapping
{
    private const int UsualMost = 1000;

    private static readonly (string Word, ConnectionState State)[] s_states =
    [
        ("opening", ConnectionState.Opening), ("established", ConnectionState.Established), ("half-closed", ConnectionState.HalfClosed), ("closed", ConnectionState.Closed),
    ];

    public static ConnectionsReply List(ConnectionTables tables, ReconcileReport? report, ConnectionsRequest request)
    {
        var most = request.Most > 0 ? request.Most : UsualMost;
        var found = tables.List(Filter(report, request), most + 1);
        var pods = (report?.Endpoints ?? []).Where(e => e.Ifindex > 0).ToDictionary(e => (uint)e.Ifindex, e => e.Name.ToString());
        var reply = new ConnectionsReply { Cut = found.Count > most };
        reply.Connections.AddRange(found.Take(most).Select(c => One(c, pods)));
        return reply;
    }

    /// <exception cref="RpcException">InvalidArgument.</exception>
    public static ConnectionFilter Filter(ReconcileReport? report, ConnectionsRequest request) => new(
        request.Pod.Length == 0 ? null : PodOf(report, request.Pod),
        request.Address.Length == 0 ? null : IpAddr.TryParse(request.Address, out var address) ? address : throw Invalid($"{request.Address} is no IP address"),
        request.Port <= ushort.MaxValue ? (ushort)request.Port : throw Invalid($"{request.Port} is no port"),
        request.Protocol.Length == 0 ? (byte)0 : ProtocolOf(request.Protocol),
        request.State.Length == 0 ? null : StateOf(request.State));

    private static Connection One(TrackedConnection c, Dictionary<uint, string> pods) => new()
    {
        Protocol = Enum.IsDefined((Protocol)c.Protocol) ? ((Protocol)c.Protocol).ToString().ToLowerInvariant() : c.Protocol.ToString(CultureInfo.InvariantCulture),
        State = s_states.First(s => s.State == c.State).Word,
        Source = c.Source.ToString(),
        SourcePort = c.SourcePort,
        Destination = c.Destination.ToString(),
        DestinationPort = c.DestinationPort,
        Pod = c.Ifindex == 0 ? "" : pods.GetValueOrDefault(c.Ifindex, $"ifindex {c.Ifindex}"),
        OpenedBy = c.PodOpened ? "pod" : "peer",
        Way = c.Translation is not null ? "translated" : c.HandedOver || c.ByProxy ? "proxy" : c.Local ? "pod to pod" : "stack",
        ExpiresInMs = (long)c.ExpiresIn.TotalMilliseconds,
        Backend = c.Translation is { } to ? to.Backend.WithPort(to.BackendPort) : "",
        SeenAs = c.Translation is { } by ? by.Source.WithPort(by.SourcePort) : "",
    };

    private static HashSet<uint> PodOf(ReconcileReport? report, string name) =>
        report?.Endpoints.FirstOrDefault(e => e.Ifindex > 0 && e.Name.ToString() == name) is { } pod
            ? [(uint)pod.Ifindex]
            : throw Invalid($"no pod {name} on this node; name it as NAMESPACE/NAME, see nodemesh endpoints");

    private static byte ProtocolOf(string word) =>
        byte.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number != 0 ? number
        : Enum.TryParse<Protocol>(word, ignoreCase: true, out var known) && known != Protocol.Any ? (byte)known
        : throw Invalid($"protocol {word}: tcp, udp, sctp, icmp, icmpv6 or a number expected");

    private static ConnectionState StateOf(string word)
    {
        foreach (var (known, state) in s_states)
            if (known == word)
                return state;
        throw Invalid($"state {word}: {string.Join(", ", s_states.Select(s => s.Word))} expected");
    }

    private static RpcException Invalid(string what) => new(new Status(StatusCode.InvalidArgument, what));
}

using System.Net;
using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Plan;

namespace NodeMesh.Proxy.Engine;

/// <summary>Between the model's addresses and the kernel's.</summary>
internal static class NetAddresses
{
    public static IpAddr Ip(this in NetAddress address) => new(address.Hi, address.Lo);

    public static NetAddress Net(this IpAddr address, ushort port) => new(address.Hi, address.Lo, port);

    public static NetAddress Net(this EndpointAddress endpoint) => new(endpoint.Address.Hi, endpoint.Address.Lo, endpoint.Port);

    public static NetAddress Net(this IPEndPoint endpoint) => IpAddr.From(endpoint.Address).Net((ushort)endpoint.Port);
}

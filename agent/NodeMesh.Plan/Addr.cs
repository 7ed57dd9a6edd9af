using System.Runtime.InteropServices;
using NodeMesh.Model;

namespace NodeMesh.Plan.Abi;

/// <summary>nm_addr: see <see cref="IpAddr"/> for its meaning.</summary>
public partial record struct Addr
{
    public static Addr From(IpAddr address)
    {
        var addr = default(Addr);
        address.WriteBytes(MemoryMarshal.AsBytes(new Span<Addr>(ref addr)));
        return addr;
    }

    public readonly IpAddr ToIpAddr()
    {
        var copy = this;
        return IpAddr.FromBytes(MemoryMarshal.AsBytes(new Span<Addr>(ref copy)));
    }

    public override readonly string ToString() => ToIpAddr().ToString();
}

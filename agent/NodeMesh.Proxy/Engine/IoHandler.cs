using NodeMesh.Native.Net;

namespace NodeMesh.Proxy.Engine;

/// <summary>What the loop calls when a descriptor is ready or a deadline has passed.</summary>
internal abstract class IoHandler : TimerNode
{
    public abstract void OnReady(EpollFlags flags);
}

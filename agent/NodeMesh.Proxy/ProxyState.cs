using NodeMesh.Plan;

namespace NodeMesh.Proxy;

/// <summary>The plan in force. A request reads <see cref="Current"/> once and finishes on what it read.</summary>
public sealed class ProxyState(ProxyPlan initial)
{
    private ProxyPlan _current = initial;

    public ProxyPlan Current => Volatile.Read(ref _current);

    public void Publish(ProxyPlan next) => Volatile.Write(ref _current, next);
}

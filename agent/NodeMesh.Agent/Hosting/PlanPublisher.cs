using System.Collections.Frozen;
using NodeMesh.Datapath;
using NodeMesh.Plan;
using NodeMesh.Proxy;

namespace NodeMesh.Agent.Hosting;

/// <summary>
/// Puts a plan into force, make before break: the proxy knows a service before the kernel hands its connections over, and forgets it only after the kernel stopped.
/// </summary>
internal sealed class PlanPublisher(ProxyServer proxy, DatapathHost datapath)
{
    private readonly Lock _gate = new();
    private ProxyPlan? _current;
    private ProxyPlan? _narrow;

    /// <param name="removals">Whether what the plan does not name is gone from the kernel: not before every source said what there is.</param>
    /// <exception cref="ProxyStartException">The first plan only: a listener cannot be opened.</exception>
    public void Publish(MeshPlan plan, bool removals)
    {
        lock (_gate)
        {
            var wide = _current is null ? plan.Proxy : Union(_current, plan.Proxy);
            proxy.Publish(wide);
            if (_current is null)
                proxy.Start(); // not before there is a plan: without one nothing would be refused
            _narrow = ReferenceEquals(wide, plan.Proxy) ? null : plan.Proxy;
            _current = wide;
        }

        datapath.Publish(plan, removals);
    }

    /// <summary>The kernel enforces this revision.</summary>
    public void Enforced(ulong revision)
    {
        lock (_gate)
        {
            if (_narrow is not { } plan || plan.Revision > revision)
                return;
            proxy.Publish(plan);
            _current = plan;
            _narrow = null;
        }
    }

    /// <summary>The next plan, with services and pods of the one before that it does not have; the next itself when there are none.</summary>
    internal static ProxyPlan Union(ProxyPlan before, ProxyPlan next)
    {
        var services = before.Services.Where(s => !next.Services.ContainsKey(s.Key)).ToArray();
        var pods = before.LocalPods.Where(p => !next.LocalPods.ContainsKey(p.Key)).ToArray();
        return services.Length + pods.Length == 0
            ? next
            : next with { Services = next.Services.Concat(services).ToFrozenDictionary(), LocalPods = next.LocalPods.Concat(pods).ToFrozenDictionary() };
    }
}

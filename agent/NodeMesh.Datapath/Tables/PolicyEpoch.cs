using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Tables;

/// <summary>
/// The number under which tracked connections are judged. A change raises it when it is complete, so that every connection is judged again;
/// "applying" says that a change was begun, and a restart that finds it finishes with a new number.
/// </summary>
internal sealed class PolicyEpoch
{
    private readonly BpfMap<uint, EpochEntry> _map;
    private EpochEntry _now;

    public PolicyEpoch(BpfMap<uint, EpochEntry> map)
    {
        _map = map;
        map.TryGet(0, out _now);
        if (_now.Applying != 0)
            End();
    }

    public uint Current => _now.Epoch;

    public bool IsApplying => _now.Applying != 0;

    public void Begin()
    {
        if (_now.Applying != 0)
            return;
        _now.Applying = 1;
        _map.Set(0, _now);
    }

    public void End()
    {
        _now.Epoch++;
        _now.Applying = 0;
        _map.Set(0, _now);
    }
}

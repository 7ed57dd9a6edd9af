using NodeMesh.Native;
using NodeMesh.Native.Bpf;

namespace NodeMesh.Datapath.Load;

/// <summary>Sees that what must outlive the agent stays pinned, whoever tidies up in the BPF file system.</summary>
internal sealed class PinKeeper(string bpffsPath, PinTree pins, LoadedObjects objects)
{
    private bool _saidGone;

    /// <summary>Something is to be put right or to be said.</summary>
    public bool IsDisturbed => FileSystems.IsBpffs(bpffsPath) ? _saidGone || MissingMaps().Any() : !_saidGone;

    /// <summary>Pins tables again that are not. Whether there is a place for pins at all.</summary>
    public bool Keep(RoundNotes notes)
    {
        if (!FileSystems.IsBpffs(bpffsPath))
        {
            var gone = $"{bpffsPath} is not a BPF file system any more: policy and services go on, but only as long as this agent. Cure: mount -t bpf bpf {bpffsPath}";
            if (_saidGone)
                notes.Problems.Add(gone);
            else
                notes.Disturbed(DisturbanceKind.Unpinned, gone);
            _saidGone = true;
            return false;
        }

        _saidGone = false;
        var missing = MissingMaps().ToArray();
        try
        {
            pins.CreateDirectories();
            foreach (var name in missing)
            {
                using var map = objects.OpenMap(name);
                MapFacts.Pin(map, pins.Map(name));
            }
        }
        catch (Exception e) when (e is BpfException or IOException or UnauthorizedAccessException)
        {
            notes.Problems.Add($"tables cannot be pinned in {pins.Maps}: {e.Message}");
            return false;
        }

        if (missing.Length > 0)
            notes.Disturbed(DisturbanceKind.Unpinned, $"{missing.Length} tables were not pinned in {pins.Maps} any more; they are again");
        return true;
    }

    private IEnumerable<string> MissingMaps() => objects.PinnedMaps.Where(name => !File.Exists(pins.Map(name)));
}

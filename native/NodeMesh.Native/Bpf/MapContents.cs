using System.Runtime.InteropServices;

namespace NodeMesh.Native.Bpf;

/// <summary>What a map holds, whatever the shape of its rows.</summary>
public static unsafe class MapContents
{
    private const uint Array = 2;

    /// <summary>Takes every row off; the rows of an array become zero. What is per CPU and an array stays: nothing outlives a packet there.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public static void Clear(OwnedFd map, string name)
    {
        var facts = MapFacts.Of(map, name);
        if (facts.Type == MapFacts.PerCpuArray)
            return;
        var key = (byte*)NativeMemory.AllocZeroed(facts.KeySize);
        var zeros = (byte*)NativeMemory.AllocZeroed(facts.ValueSize);
        try
        {
            if (facts.Type == Array)
            {
                for (var i = 0u; i < facts.MaxEntries; i++)
                    Check(Libbpf.bpf_map_update_elem(map.Fd, &i, zeros, 0), "map_update", name);
                return;
            }

            while (Libbpf.bpf_map_get_next_key(map.Fd, null, key) == 0)
                Check(Libbpf.bpf_map_delete_elem(map.Fd, key), "map_delete", name);
        }
        finally
        {
            NativeMemory.Free(key);
            NativeMemory.Free(zeros);
        }
    }

    private static void Check(int result, string call, string map)
    {
        if (result is not 0 and not -Errno.ENOENT)
            throw new BpfException(call, map, -result);
    }
}

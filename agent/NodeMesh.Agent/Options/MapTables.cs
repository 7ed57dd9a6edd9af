using NodeMesh.Datapath.Tables;

namespace NodeMesh.Agent.Options;

/// <summary>The names of --map-size.</summary>
internal static class MapTables
{
    public static readonly MapSpec[] All = [.. MapCatalog.Sizable];

    public static MapSpec? Find(string name) => All.FirstOrDefault(t => t.Option == name);
}

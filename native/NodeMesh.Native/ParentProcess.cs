namespace NodeMesh.Native;

/// <summary>Who started this process.</summary>
public static class ParentProcess
{
    public static int Id => Libc.GetParentId();
}

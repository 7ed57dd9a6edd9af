using NodeMesh.Plan.Abi;

namespace NodeMesh.Agent.Hosting;

/// <summary>Which of the kernel's reasons are refusals.</summary>
internal static class Reasons
{
    /// <summary>A full table and a failed helper are counted beside the verdict, which still held.</summary>
    public static bool IsDrop(Reason reason) => reason is not (Reason.Forwarded or Reason.HandedOver or Reason.Reply or Reason.Translated or Reason.MapFull or Reason.HelperFailed);
}

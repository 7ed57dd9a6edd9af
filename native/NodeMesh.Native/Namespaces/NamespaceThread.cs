using System.Runtime.ExceptionServices;

namespace NodeMesh.Native.Namespaces;

/// <summary>A namespace belongs to a thread, and pooled threads are shared: what is done inside one is done on a thread of its own that is never used again.</summary>
internal static class NamespaceThread
{
    /// <summary>The caller waits, and gets what <paramref name="action"/> gives or throws.</summary>
    public static T Run<T>(string name, Func<T> action)
    {
        T? result = default;
        ExceptionDispatchInfo? thrown = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = action();
            }
            catch (Exception e)
            {
                // Carried over to the caller's thread, where it is thrown again.
                thrown = ExceptionDispatchInfo.Capture(e);
            }
        })
        { IsBackground = true, Name = name };
        thread.Start();
        thread.Join();
        thrown?.Throw();
        return result!;
    }
}

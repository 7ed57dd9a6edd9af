using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Services;

/// <summary>What a service port declares about its bytes: appProtocol first, then the name, as Istio reads them.</summary>
internal static class AppProtocols
{
    public static AppProtocol Of(ServicePort port) => port.AppProtocol.Length > 0
        ? OfWord(port.AppProtocol.ToLowerInvariant())
        : OfWord(port.Name.Split('-', 2)[0]);

    // HTTP/2 is not among them yet: it is sniffed, so that HTTP/1 on such a port is routed and the rest passes untouched.
    private static AppProtocol OfWord(string word) => word switch
    {
        "http" or "kubernetes.io/ws" => AppProtocol.Http,
        "tcp" or "https" or "tls" or "kubernetes.io/wss" or "mysql" or "redis" or "mongo" or "postgresql" => AppProtocol.Tcp,
        _ => AppProtocol.Sniff,
    };
}

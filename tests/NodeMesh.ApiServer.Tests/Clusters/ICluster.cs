using k8s;

namespace NodeMesh.ApiServer.Tests.Clusters;

/// <summary>An API server with whatever it needs, empty at first. All that tests do, they do by its API.</summary>
internal interface ICluster : IDisposable
{
    /// <summary>As somebody who may everything.</summary>
    KubernetesClientConfiguration Admin { get; }

    /// <summary>Where the server is and whom it can be told by, without saying who asks.</summary>
    KubernetesClientConfiguration Nobody { get; }

    /// <summary>What the programs printed last; for when something goes wrong.</summary>
    string Log { get; }

    /// <summary>The server is gone at once; what was stored stays.</summary>
    void Kill();

    /// <summary>After <see cref="Kill"/>, at the same address. Of what happened before, it can tell no watch.</summary>
    void StartAgain();

    /// <summary>Everything that happened until now is forgotten where objects are stored.</summary>
    void Compact();
}

using System.Net;
using System.Net.Sockets;
using NodeMesh.Agent.Options;
using NodeMesh.Datapath;
using NodeMesh.Native;
using NodeMesh.Native.Tls;

namespace NodeMesh.Agent.Hosting;

/// <summary>What must be so before anything on the node is touched, in the order in which an operator would mend it.</summary>
internal static class NodeChecks
{
    /// <exception cref="CommandFailure">With the exit code of the first thing that is not so.</exception>
    public static void Require(AgentOptions options)
    {
        RequireOpenSsl();
        foreach (var feature in KernelProbe.Run(options.Datapath).Where(f => f is { Required: true, Ok: false }).OrderBy(f => f.Name == "privilege" ? 0 : 1))
            throw new CommandFailure(CodeOf(feature), $"{feature.Name}: {feature.Detail}; without it {feature.Lost}. Cure: {feature.Cure}");

        RequireNoOtherAgent(options.RunDir);
        RequireFree(new IPEndPoint(IPAddress.Loopback, options.Datapath.ProxyPort), "--proxy-port");
        if (Socket.OSSupportsIPv6)
            RequireFree(new IPEndPoint(IPAddress.IPv6Loopback, options.Datapath.ProxyPort), "--proxy-port");
        RequireFree(options.Surface.MetricsAddress, "--metrics-address");
    }

    /// <summary>The runtime's hashes and certificates are OpenSSL's: without it, the first of them aborts the process.</summary>
    /// <exception cref="CommandFailure">NoOpenSsl.</exception>
    public static void RequireOpenSsl()
    {
        if (TlsLibrary.Missing is { } problem)
            throw new CommandFailure(ExitCode.NoOpenSsl, problem);
    }

    /// <summary>What this machine has besides its kernel.</summary>
    public static IReadOnlyList<KernelFeature> Programs()
    {
        var clang = BpfImageSource.FindClang();
        return
        [
            new("openssl", TlsLibrary.Missing is null, true, TlsLibrary.Missing is null ? "libssl.so.3, libcrypto.so.3" : "not to be loaded",
                "the agent does not start", "apt-get install libssl3"),
            new("clang", clang is not null, false, clang ?? "not in PATH", "--bpf-compile; the programs in this binary need none", "apt-get install clang-19, or name one with --clang"),
        ];
    }

    /// <summary>What a kube-proxy, running or gone, has on this node.</summary>
    public static KernelFeature KubeProxy()
    {
        const string Cure = "when kube-proxy does not run any more: kube-proxy --cleanup on this node";
        try
        {
            var found = KubeProxyRules.Find();
            return new("kube-proxy rules", found.Count == 0, false, found.Count == 0 ? "none" : string.Join(", ", found),
                "what NodeMesh does not serve is translated by those rules, which nobody may keep up to date any more", Cure);
        }
        catch (SyscallException e)
        {
            return new("kube-proxy rules", true, false, $"not known: {e.Message}", "", Cure);
        }
    }

    public static ExitCode CodeOf(NodeFault fault) => fault switch
    {
        NodeFault.NotPrivileged => ExitCode.NotPrivileged,
        NodeFault.NoBpffs => ExitCode.NoBpffs,
        NodeFault.NoCgroup2 => ExitCode.NoCgroup2,
        NodeFault.SecondAgent => ExitCode.SecondAgent,
        NodeFault.UnsupportedKernel => ExitCode.KernelUnsupported,
        _ => ExitCode.BpfRejected,
    };

    private static ExitCode CodeOf(KernelFeature feature) => feature.Name switch
    {
        "privilege" => ExitCode.NotPrivileged,
        "bpffs" => ExitCode.NoBpffs,
        "cgroup2" => ExitCode.NoCgroup2,
        _ => ExitCode.KernelUnsupported,
    };

    // The data path takes this lock for good a moment later; asked here too, since the other agent would otherwise show as a port in use.
    private static void RequireNoOtherAgent(string runDir)
    {
        var path = Path.Combine(runDir, "agent.lock");
        if (!File.Exists(path))
            return;
        using var held = FileSystems.TryLock(path)
            ?? throw new CommandFailure(ExitCode.SecondAgent, $"another NodeMesh agent runs on this node (it holds {path}). Cure: stop it first");
    }

    private static void RequireFree(IPEndPoint address, string option)
    {
        // A listener on the same port would let a bind with SO_REUSEADDR pass only while it does not listen.
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (address.Address.Equals(IPAddress.IPv6Any))
                socket.DualMode = true; // as the server listens
            socket.Bind(address);
            socket.Listen(1);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse)
        {
            throw new CommandFailure(ExitCode.PortInUse, $"{address} is in use by another program. Cure: stop it (ss -ltnp shows which), or choose another {option}", e);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressNotAvailable)
        {
            // A host without IPv6 on its loopback: the proxy then serves IPv4 alone.
            if (address.Address.Equals(IPAddress.IPv6Loopback))
                return;
            throw new CommandFailure(ExitCode.BadOptions, $"{option} {address}: no interface of this node has that address. Cure: name one that it has", e);
        }
    }
}

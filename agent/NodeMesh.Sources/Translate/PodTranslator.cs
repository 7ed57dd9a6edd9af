using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

internal static class PodTranslator
{
    public const string NetnsAnnotation = "nodemesh.io/netns";
    public const string InterfaceAnnotation = "nodemesh.io/host-interface";
    private const int MaxInterfaceName = 15;

    /// <summary>
    /// On a static pod's object in the API: by this, and not by the object's uid, the kubelet knows it. A kubelet runs nobody else's pod that has it: so no pod
    /// hides from the agent by it, as one could by kubernetes.io/config.hash.
    /// </summary>
    private const string StaticPodAnnotation = "kubernetes.io/config.mirror";
    private const int StaticPodHash = 32;

    public static PodDraft Translate(ApiObject obj, Fields root)
    {
        var meta = Metadata.Read(root, obj);
        using var spec = root.Map("spec");
        spec?.Ignore("volumes", "ephemeralContainers", "restartPolicy", "terminationGracePeriodSeconds", "activeDeadlineSeconds", "dnsPolicy",
            "nodeSelector", "serviceAccountName", "serviceAccount", "automountServiceAccountToken", "hostPID", "hostIPC", "shareProcessNamespace",
            "securityContext", "imagePullSecrets", "hostname", "subdomain", "affinity", "schedulerName", "tolerations", "hostAliases",
            "priorityClassName", "priority", "dnsConfig", "readinessGates", "runtimeClassName", "enableServiceLinks", "preemptionPolicy", "overhead",
            "topologySpreadConstraints", "setHostnameAsFQDN", "os", "hostUsers", "schedulingGates", "resourceClaims", "resources", "hostnameOverride",
            "workloadRef");
        var nodeName = spec?.Text("nodeName") ?? "";
        var isHostNetwork = spec?.Flag("hostNetwork") ?? false;
        var ports = new List<NamedPort>();
        var hostPorts = new List<HostPort>();
        foreach (var item in spec?.Items("containers") ?? [])
            Container(item, isInit: false, ports, hostPorts);
        foreach (var item in spec?.Items("initContainers") ?? [])
            Container(item, isInit: true, ports, hostPorts);

        using var status = root.Map("status");
        status?.Ignore("hostIP", "hostIPs", "startTime", "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses", "qosClass",
            "message", "reason", "nominatedNodeName", "resize", "resourceClaimStatuses", "observedGeneration", "extendedResourceClaimStatus",
            "allocatedResources", "resources");
        var addresses = Addresses(status);
        var phase = status?.Get("phase")?.OneOf("Pending", "Running", "Succeeded", "Failed", "Unknown");
        var isReady = IsReady(status, phase);
        var attachment = Attach(meta, root);

        if (phase is "Succeeded" or "Failed")
            return new PodDraft(null);
        return new PodDraft(new Workload(
            obj.Name, meta.Labels, addresses, [.. ports], nodeName, isHostNetwork, isReady, meta.Deleting, attachment, obj.Location)
        {
            CreatedAt = meta.CreatedAt,
            HostPorts = isHostNetwork ? [] : [.. hostPorts.Distinct()],
        });
    }

    private static void Container(Value item, bool isInit, List<NamedPort> ports, List<HostPort> hostPorts)
    {
        using var c = item.Map();
        if (c is null)
            return;
        c.Ignore("name", "image", "command", "args", "workingDir", "envFrom", "env", "resources", "resizePolicy", "restartPolicyRules", "volumeMounts",
            "volumeDevices", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "terminationMessagePath", "terminationMessagePolicy",
            "imagePullPolicy", "securityContext", "stdin", "stdinOnce", "tty");

        // An init container that never ends is a sidecar and serves as long as the pod does; the others are gone before it is ready.
        var serves = c.Text("restartPolicy") == "Always" || !isInit;
        foreach (var p in c.Items("ports"))
        {
            using var port = p.Map();
            if (port is null)
                continue;
            var number = Ports.Number(port.Require("containerPort"));
            var protocol = Ports.ReadProtocol(port.Get("protocol"));
            var name = port.Get("name") is { } n ? Ports.Name(n) : null;
            var hostPort = Ports.NodePort(port.Get("hostPort"));
            var hostIp = HostIp(port);
            if (!serves || number is not { } known)
                continue;
            if (name is not null)
                ports.Add(new NamedPort(name, protocol, known));
            if (hostPort != 0)
                hostPorts.Add(new HostPort(hostPort, known, protocol, hostIp));
        }
    }

    /// <summary>Null for none, or one that stands for every address.</summary>
    private static IpAddr? HostIp(Fields port)
    {
        if (port.Get("hostIP") is not { } value || value.Node is ApiScalar { Kind: ScalarKind.Text, Text: "" })
            return null;
        return Ports.Address(value) is { IsUnspecified: false } address ? address : null;
    }

    private static ImmutableArray<IpAddr> Addresses(Fields? status)
    {
        var addresses = new List<IpAddr>();
        var list = status?.Items("podIPs") ?? [];
        foreach (var item in list)
        {
            using var entry = item.Map();
            if (entry?.Require("ip") is { } ip && Ports.Address(ip) is { } address)
                addresses.Add(address);
        }
        if (status?.Get("podIP") is { } single && list.Length == 0 && Ports.Address(single) is { } only)
            addresses.Add(only);
        return [.. addresses.Distinct()];
    }

    /// <summary>Files seldom carry conditions: without any, a pod is ready unless its phase says that it is not there yet.</summary>
    private static bool IsReady(Fields? status, string? phase)
    {
        if (status?.Get("conditions") is not { } conditions)
            return phase is null or "Running";
        foreach (var item in conditions.Items())
        {
            using var condition = item.Map();
            if (condition is null)
                continue;
            condition.Ignore("lastProbeTime", "lastTransitionTime", "reason", "message", "observedGeneration");
            var type = condition.Text("type");
            var state = condition.Get("status")?.OneOf("True", "False", "Unknown");
            if (type == "Ready")
                return state == "True";
        }
        return false;
    }

    private static Attachment Attach(Metadata meta, Fields root)
    {
        var netns = meta.Annotations.GetValueOrDefault(NetnsAnnotation, "");
        var device = meta.Annotations.GetValueOrDefault(InterfaceAnnotation, "");
        if (netns.Contains('/') && (netns[0] != '/' || netns.Contains("/../", StringComparison.Ordinal)))
            root.Report.Error("bad-annotation", $"metadata.annotations[{NetnsAnnotation}]", root.At,
                $"'{netns}' is neither a name under /run/netns nor an absolute path");
        if (netns is "." or "..")
            root.Report.Error("bad-annotation", $"metadata.annotations[{NetnsAnnotation}]", root.At, $"'{netns}' is not a network namespace's name");
        if (device.Length > MaxInterfaceName || device.AsSpan().ContainsAny("/ \t\n"))
            root.Report.Error("bad-annotation", $"metadata.annotations[{InterfaceAnnotation}]", root.At,
                $"'{device}' is not an interface's name: at most {MaxInterfaceName} characters, no '/' or space");
        return new Attachment(netns, device, Uid(meta));
    }

    /// <summary>As the kubelet writes it into the name of the pod's cgroup. A hash has no dashes: nobody can annotate a pod with another's uid.</summary>
    private static string Uid(Metadata meta)
    {
        if (meta.Annotations.GetValueOrDefault(StaticPodAnnotation, "") is { Length: StaticPodHash } hash && hash.All(char.IsAsciiHexDigitLower))
            return hash;
        return Guid.TryParseExact(meta.Uid, "D", out _) ? meta.Uid.ToLowerInvariant() : "";
    }
}

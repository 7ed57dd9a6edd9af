using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Node.Tests;

/// <summary>
/// A node of a cluster: its agent hears of everything from an API server, in the order in which a cluster tells of it. A pod comes first without a node, then
/// without an address, which it gets only once its network is made and its containers run; a service comes before its endpoints; those follow pods and services.
/// </summary>
internal sealed class Cluster : IAsyncDisposable
{
    private const int ApiPort = 6443;

    private readonly List<ClusterPod> _pods = [];
    private readonly List<ClusterService> _services = [];

    private Cluster(NodeBox box, InProcessApiServer api)
    {
        Box = box;
        Api = api;
    }

    public NodeBox Box { get; }

    public InProcessApiServer Api { get; }

    public AgentProcess? Agent { get; private set; }

    /// <summary>Null: the agent is in its place.</summary>
    public KubeProxy? KubeProxy { get; set; }

    public static async Task<Cluster> StartAsync(params string[] agentOptions)
    {
        var box = new NodeBox();
        var api = await InProcessApiServer.StartAsync(box.Node.Listen(IPAddress.Loopback, ApiPort), new ObjectStore(), InProcessApiServer.BuiltIn).ConfigureAwait(false);
        api.Put("nodes", Json($$"""
            {'metadata':{'name':'{{NodeBox.NodeName}}','labels':{'kubernetes.io/hostname':'{{NodeBox.NodeName}}'} },'spec':{'podCIDRs':['10.244.0.0/24','fd00:244::/64']},
             'status':{'addresses':[{'type':'InternalIP','address':'{{NodeBox.NodeAddress}}'},{'type':'InternalIP','address':'{{NodeBox.NodeAddress6}}'}]} }
            """));
        // As every node has: what the node itself sends to a service must have a way to begin with.
        Shell.Script($"ip -n {box.Node.Name} route add default via {NodeBox.OutsideAddress}; ip -n {box.Node.Name} -6 route add default via {NodeBox.OutsideAddress6}").MustSucceed("default routes");
        var cluster = new Cluster(box, api);
        try
        {
            cluster.Agent = box.StartAgentOf(api.Address, agentOptions);
            cluster.Agent.MustBeReady();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var pod in _pods)
            pod.Agnhost?.Dispose();
        Mesh.End(Box, Agent);
        await Api.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>JSON with single quotes.</summary>
    public static string Json(string text) => text.Replace('\'', '"');

    /// <summary>With the label that the API server gives every namespace.</summary>
    public void PutNamespace(string name, string more = "") =>
        Api.Put("namespaces", Json($"{{'metadata':{{'name':'{name}','labels':{{'kubernetes.io/metadata.name':'{name}'{more}}} }} }}"));

    public void PutPolicy(string ns, string name, string spec) =>
        Api.Put("networking.k8s.io/networkpolicies", Json($"{{'metadata':{{'name':'{name}','namespace':'{ns}'}},'spec':{spec}}}"));

    public void DeletePolicies()
    {
        foreach (var policy in Api.Store.List("networking.k8s.io/networkpolicies", "", "").Objects)
            Api.Store.Delete("networking.k8s.io/networkpolicies", (string)policy["metadata"]!["namespace"]!, (string)policy["metadata"]!["name"]!);
    }

    /// <summary>Brings a pod up as scheduler, runtime and kubelet do; returns when it is ready.</summary>
    /// <param name="ports">"tcp:80": served, and a named container port (serve-80-tcp).</param>
    /// <param name="labels">Besides <c>pod: NAME</c>; each with a comma before it.</param>
    /// <param name="hostPort">Fields of its first port besides, each with a comma before it.</param>
    public ClusterPod StartPod(string ns, string name, string[] ports, string labels = "", string hostPort = "")
    {
        var pod = new ClusterPod(Box.PlanPod(name, ns), ports, labels, hostPort);
        _pods.Add(pod);
        Put(pod, "{'phase':'Pending'}", isBound: false);
        Put(pod, "{'phase':'Pending'}");
        Box.Connect(pod.Box);
        pod.Agnhost = Agnhost.StartIn(pod.Box, ports);
        Put(pod);
        SetReady(pod, true);
        return pod;
    }

    public void SetReady(ClusterPod pod, bool ready)
    {
        pod.IsReady = ready;
        Put(pod);
        FollowPods();
    }

    public void SetLabels(ClusterPod pod, string labels)
    {
        pod.Labels = labels;
        Put(pod);
        FollowPods();
    }

    /// <summary>What a delete with grace does first: it runs, serves, and is ready as long as its probe says so.</summary>
    public void Terminate(ClusterPod pod)
    {
        pod.IsTerminating = true;
        Put(pod);
        FollowPods();
    }

    /// <summary>Its end: the process, the network, the object.</summary>
    public void Remove(ClusterPod pod)
    {
        Terminate(pod);
        pod.Agnhost?.Dispose();
        _pods.Remove(pod);
        Box.RemovePod(pod.Box);
        Api.Store.Delete("pods", pod.Namespace, pod.Name);
        FollowPods();
    }

    /// <param name="ports">"name:port:targetPort:protocol[:nodePort]".</param>
    /// <param name="selector">Labels; empty: without, for endpoints of the test's own.</param>
    /// <param name="more">Fields of the spec besides, each with a comma before it.</param>
    /// <param name="labels">Of the service; the controller gives them to its slices, too.</param>
    public void PutService(string ns, string name, string address, string[] ports, string selector, string more = "", string address6 = "", string labels = "")
    {
        _services.RemoveAll(s => s.Namespace == ns && s.Name == name);
        var service = new ClusterService(ns, name, ports, selector, more.Contains("publishNotReadyAddresses':true", StringComparison.Ordinal));
        _services.Add(service);
        var addresses = address6.Length > 0 ? $"'{address}','{address6}'" : $"'{address}'";
        var list = string.Join(',', ports.Select(p => p.Split(':')).Select(p =>
            $"{{'name':'{p[0]}','port':{p[1]},'targetPort':{p[2]},'protocol':'{p[3]}'{(p.Length > 4 ? $",'nodePort':{p[4]}" : "")}}}"));
        Api.Put("services", Json($"{{'metadata':{{'name':'{name}','namespace':'{ns}','labels':{{{labels}}} }},'spec':{{'clusterIP':'{address}','clusterIPs':[{addresses}],'ports':[{list}]{(selector.Length > 0 ? $",'selector':{{{selector}}}" : "")}{more}}} }}"));
        FollowPods();
    }

    public void DeleteService(string ns, string name)
    {
        _services.RemoveAll(s => s.Namespace == ns && s.Name == name);
        Api.Store.Delete("services", ns, name);
        foreach (var slice in Slices(ns, name))
            Api.Store.Delete("discovery.k8s.io/endpointslices", ns, (string)slice["metadata"]!["name"]!);
        KubeProxy?.Sync();
    }

    public IEnumerable<JsonObject> Slices(string ns, string service) =>
        Api.Store.List("discovery.k8s.io/endpointslices", ns, "").Objects.Where(s => (string?)s["metadata"]!["labels"]!["kubernetes.io/service-name"] == service);

    private void Put(ClusterPod pod) => Put(pod, $$"""
        {'phase':'Running','hostIP':'{{NodeBox.NodeAddress}}','podIP':'{{pod.Address}}','podIPs':[{'ip':'{{pod.Address}}'},{'ip':'{{pod.Address6}}'}],
         'conditions':[{'type':'Ready','status':'{{(pod.IsReady ? "True" : "False")}}'}]}
        """);

    private void Put(ClusterPod pod, string status, bool isBound = true)
    {
        var ports = string.Join(',', pod.Ports.Select(p => p.Split(':')).Select((p, i) =>
            $"{{'name':'serve-{p[1]}-{p[0]}','containerPort':{p[1]},'protocol':'{p[0].ToUpperInvariant()}'{(i == 0 ? pod.HostPort : "")}}}"));
        Api.Put("pods", Json($$"""
            {'metadata':{'name':'{{pod.Name}}','namespace':'{{pod.Namespace}}','uid':'{{pod.Box.Uid}}','labels':{'pod':'{{pod.Name}}'{{pod.Labels}}}
              {{(pod.IsTerminating ? ",'deletionTimestamp':'2026-01-01T00:00:00Z','deletionGracePeriodSeconds':30" : "")}} },
             'spec':{ {{(isBound ? $"'nodeName':'{NodeBox.NodeName}'," : "")}}'containers':[{'name':'main','image':'example','ports':[{{ports}}]}]},
             'status':{{status}} }
            """));
    }

    /// <summary>What the EndpointSlice controller does, in one slice for each family.</summary>
    private void FollowPods()
    {
        foreach (var service in _services.Where(s => s.Selector.Length > 0))
        {
            var pods = _pods.Where(p => p.Namespace == service.Namespace && service.Selector.Split(',').All(p.AllLabels.Contains)).ToList();
            PutSlice(service, "IPv4", pods, p => p.Address);
            PutSlice(service, "IPv6", pods, p => p.Address6);
        }

        KubeProxy?.Sync();
    }

    private void PutSlice(ClusterService service, string family, List<ClusterPod> pods, Func<ClusterPod, string> address)
    {
        var endpoints = string.Join(',', pods.Select(p => $$"""
            {'addresses':['{{address(p)}}'],'nodeName':'{{NodeBox.NodeName}}','targetRef':{'kind':'Pod','namespace':'{{p.Namespace}}','name':'{{p.Name}}'},
             'conditions':{'ready':{{Word(service.PublishesAll || (p.IsReady && !p.IsTerminating))}},'serving':{{Word(service.PublishesAll || p.IsReady)}},'terminating':{{Word(p.IsTerminating)}} } }
            """));
        // Without endpoints the controller says no ports either.
        var ports = pods.Count == 0 ? "null" : $"[{string.Join(',', service.Ports.Select(p => p.Split(':')).Select(p => $"{{'name':'{p[0]}','port':{p[2]},'protocol':'{p[3]}'}}"))}]";
        PutSlice(service.Namespace, service.Name, string.Create(CultureInfo.InvariantCulture, $"{service.Name}-{family.ToLowerInvariant()}"), family, ports, endpoints);
    }

    public void PutSlice(string ns, string service, string name, string family, string ports, string endpoints)
    {
        var slice = (JsonObject)JsonNode.Parse(Json($$"""
            {'metadata':{'name':'{{name}}','namespace':'{{ns}}','labels':{'kubernetes.io/service-name':'{{service}}'} },'addressType':'{{family}}',
             'ports':{{ports}},'endpoints':[{{endpoints}}]}
            """))!;
        var old = Api.Store.List("discovery.k8s.io/endpointslices", ns, name).Objects.SingleOrDefault();
        if (old is null || !JsonNode.DeepEquals(old["ports"], slice["ports"]) || !JsonNode.DeepEquals(old["endpoints"], slice["endpoints"]))
            Api.Store.Put("discovery.k8s.io/endpointslices", slice);
    }

    private static string Word(bool value) => value ? "true" : "false";
}

/// <param name="labels">Besides <c>pod: NAME</c>; each with a comma before it.</param>
/// <param name="hostPort">Fields of its first port besides, each with a comma before it.</param>
internal sealed class ClusterPod(PodBox box, string[] ports, string labels, string hostPort)
{
    public PodBox Box { get; } = box;

    public string[] Ports { get; } = ports;

    public string HostPort { get; } = hostPort;

    public string Labels { get; set; } = labels;

    public bool IsReady { get; set; }

    public bool IsTerminating { get; set; }

    public Agnhost? Agnhost { get; set; }

    public string Name => Box.Name;

    public string Namespace => Box.Namespace;

    public string Address => Box.Address;

    public string Address6 => Box.Address6;

    public string AllLabels => $"'pod':'{Name}'{Labels}";

    /// <inheritdoc cref="Agnhost.AskAsync"/>
    public string Ask(string protocol, string address, int port, bool isBrief = false) => Agnhost!.Ask(protocol, address, port, isBrief: isBrief);

    public override string ToString() => $"{Namespace}/{Name}";
}

internal sealed record ClusterService(string Namespace, string Name, string[] Ports, string Selector, bool PublishesAll);

using NodeMesh.Agent.Commands;
using NodeMesh.Agent.Options;
using NodeMesh.Sources.Dom;
using static NodeMesh.Unit.Tests.Deploy.Manifest;

namespace NodeMesh.Unit.Tests.Deploy;

/// <summary>What deploy/ says of the agent, of the API and of itself is so.</summary>
public sealed class DeployTests
{
    private const string DaemonSet = "daemonset.yaml";
    private const string Cleanup = "cleanup/daemonset.yaml";

    // As the API has them: a slip here is told by no parser.
    private static readonly Dictionary<string, string> s_versions = new()
    {
        ["Namespace"] = "v1",
        ["ServiceAccount"] = "v1",
        ["ConfigMap"] = "v1",
        ["ClusterRole"] = "rbac.authorization.k8s.io/v1",
        ["ClusterRoleBinding"] = "rbac.authorization.k8s.io/v1",
        ["Role"] = "rbac.authorization.k8s.io/v1",
        ["RoleBinding"] = "rbac.authorization.k8s.io/v1",
        ["DaemonSet"] = "apps/v1",
        ["CustomResourceDefinition"] = "apiextensions.k8s.io/v1",
        ["Kustomization"] = "kustomize.config.k8s.io/v1beta1",
        ["Component"] = "kustomize.config.k8s.io/v1alpha1",
        ["PodMonitor"] = "monitoring.coreos.com/v1",
    };

    private static string[] Files() =>
    [
        .. Directory.GetFiles(Folder, "*.yaml", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Folder, f))
            .Where(f => !f.StartsWith("examples", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
    ];

    [TestCaseSource(nameof(Files))]
    public void Every_object_has_a_known_kind_its_version_and_a_name(string file)
    {
        foreach (var o in Read(file))
        {
            Assert.That(s_versions.GetValueOrDefault(Text(o, "kind")), Is.EqualTo(Text(o, "apiVersion")), Text(o, "kind"));
            if (Text(o, "kind") is not ("Kustomization" or "Component"))
                Assert.That(Text(o, "metadata", "name"), Is.Not.Empty);
        }
    }

    [Test]
    public void A_kustomization_names_files_that_there_are_and_none_is_forgotten()
    {
        string[] named = [.. Files().Where(f => Path.GetFileName(f) == "kustomization.yaml").SelectMany(f => Texts(Read(f)[0], "resources").Select(r => Path.Combine(Path.GetDirectoryName(f)!, r)))];
        Assert.That(named, Is.EquivalentTo(Files().Where(f => Path.GetFileName(f) != "kustomization.yaml")));
    }

    [Test]
    public void The_config_map_has_every_option_and_values_that_can_be()
    {
        var data = ((ApiMap)At(Find("configmap.yaml", "ConfigMap"), "data")!).Fields;
        Assert.That(data.Select(f => f.Name), Is.EqualTo(OptionTable.All.Where(o => o != OptionTable.NodeName).Select(o => o.Environment)));
        foreach (var (name, _, value) in data)
        {
            var text = ((ApiScalar)value).Text;
            Assert.That(((ApiScalar)value).Kind, Is.EqualTo(ScalarKind.Text), $"{name}: a ConfigMap holds texts");
            if (text.Length > 0)
                Assert.That(OptionTable.All.Single(o => o.Environment == name).Check(text), Is.Null, name);
        }
    }

    [TestCase(DaemonSet, "containers", "agent")]
    [TestCase(DaemonSet, "initContainers", "mount")]
    [TestCase(Cleanup, "containers", "cleanup")]
    public void A_container_runs_a_verb_that_there_is(string file, string list, string name)
    {
        var container = Container(file, list, name);
        Assert.That(CommandTree.Build().Parse([.. Texts(container, "args")]).Errors, Is.Empty);
        Assert.That(Items(Pod(file), "containers").Concat(Items(Pod(file), "initContainers")).Select(c => Text(c, "image")), Has.All.EqualTo("nodemesh"), "the kustomization says which, and no other is needed");
        Assert.That(Texts(container, "securityContext", "capabilities", "drop"), Is.EqualTo(new[] { "ALL" }));
        Assert.That(Text(container, "securityContext", "privileged"), Is.EqualTo("false"));
        Assert.That(Texts(container, "securityContext", "capabilities", "add"), Is.Ordered);
        foreach (var variable in Items(container, "env"))
            Assert.That(OptionTable.All.Select(o => o.Environment), Does.Contain(Text(variable, "name")));
    }

    [TestCase(DaemonSet, "containers", "agent")]
    [TestCase(Cleanup, "containers", "cleanup")]
    public void Every_folder_that_an_option_names_is_the_nodes_at_the_same_path(string file, string list, string name)
    {
        var pod = Pod(file);
        var paths = Items(pod, "volumes").ToDictionary(v => Text(v, "name"), v => Text(v, "hostPath", "path"));
        var mounts = Items(Container(file, list, name), "volumeMounts").ToDictionary(m => Text(m, "mountPath"), m => paths[Text(m, "name")]);
        foreach (var option in new[] { OptionTable.Bpffs, OptionTable.RunDir, OptionTable.CniBinDir, OptionTable.CniConfDir })
            Assert.That(mounts.GetValueOrDefault(option.Default), Is.EqualTo(option.Default), option.Name);
        Assert.That(Text(pod, "hostNetwork"), Is.EqualTo("true"));
        Assert.That(Text(pod, "hostPID"), Is.EqualTo("true"));
        Assert.That(Text(pod, "priorityClassName"), Is.EqualTo("system-node-critical"));
    }

    [TestCase(DaemonSet, "containers", "agent")]
    [TestCase(Cleanup, "containers", "cleanup")]
    public void No_mount_needs_the_nodes_own_to_be_shared_which_they_are_not_everywhere(string file, string list, string name) =>
        Assert.That(Items(Container(file, list, name), "volumeMounts").Where(m => At(m, "mountPropagation") is not null), Is.Empty);

    [Test]
    public void Probes_ask_where_the_agent_answers_and_its_end_is_waited_for()
    {
        var agent = Container(DaemonSet, "containers", "agent");
        var port = Items(agent, "ports").Single(p => Text(p, "name") == "metrics");
        Assert.That(OptionTable.MetricsAddress.Default, Does.EndWith(":" + Text(port, "containerPort")));
        foreach (var (probe, path) in new[] { ("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz") })
        {
            Assert.That(Text(agent, probe, "httpGet", "path"), Is.EqualTo(path));
            Assert.That(Text(agent, probe, "httpGet", "port"), Is.EqualTo("metrics"));
        }

        var drain = OptionTable.DrainTimeout.Default;
        Assert.That(int.Parse(Text(Pod(DaemonSet), "terminationGracePeriodSeconds")), Is.GreaterThan(int.Parse(drain[..^1])));
        Assert.That(Text(agent, "resources", "requests", "memory"), Is.Not.Empty);
        Assert.That(Text(agent, "resources", "requests", "cpu"), Is.Not.Empty);
    }

    [Test]
    public void The_pod_monitor_selects_the_agents_pods_and_their_port()
    {
        var monitor = Find("components/podmonitor/podmonitor.yaml", "PodMonitor");
        var labels = (ApiMap)At(Find(DaemonSet, "DaemonSet"), "spec", "template", "metadata", "labels")!;
        foreach (var (name, _, value) in ((ApiMap)At(monitor, "spec", "selector", "matchLabels")!).Fields)
            Assert.That(Text(labels, name), Is.EqualTo(((ApiScalar)value).Text));
        Assert.That(Text(Items(monitor, "spec", "podMetricsEndpoints")[0], "port"), Is.EqualTo("metrics"));
    }

    [Test]
    public void The_account_that_the_pods_have_is_bound_to_the_role()
    {
        var binding = Find("rbac.yaml", "ClusterRoleBinding");
        Assert.That(Text(binding, "roleRef", "name"), Is.EqualTo(Text(Find("rbac.yaml", "ClusterRole"), "metadata", "name")));
        Assert.That(Text(Items(binding, "subjects").Single(), "name"), Is.EqualTo(Text(Pod(DaemonSet), "serviceAccountName")).And.EqualTo(Text(Find("rbac.yaml", "ServiceAccount"), "metadata", "name")));
    }

    [Test]
    public void The_role_has_no_wildcard_and_deletes_nothing()
    {
        foreach (var rule in Items(Find("rbac.yaml", "ClusterRole"), "rules"))
        {
            Assert.That(Texts(rule, "verbs"), Has.None.EqualTo("*").And.None.StartsWith("delete").And.None.EqualTo("escalate"));
            Assert.That(Texts(rule, "resources"), Has.None.EqualTo("*"));
            Assert.That(Texts(rule, "apiGroups"), Has.None.EqualTo("*"));
        }
    }

    private static ApiNode Pod(string file) => At(Read(file).Single(), "spec", "template", "spec")!;

    private static ApiNode Container(string file, string list, string name) => Items(Pod(file), list).Single(c => Text(c, "name") == name);
}

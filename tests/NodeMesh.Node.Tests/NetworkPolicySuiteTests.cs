using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>
/// The cases of Kubernetes' own NetworkPolicy end-to-end tests (sig-network, "Netpol"), by their names there: namespaces x, y and z with pods a, b and c, and after each
/// change everybody asks everybody, by the pod's addresses and by its service's, over both families. There a pod may or may not reach itself; here it always does.
/// </summary>
public sealed class NetworkPolicySuiteTests : PolicyMatrix
{
    private const string A = "{'matchLabels':{'pod':'a'}}", B = "{'matchLabels':{'pod':'b'}}", All = "{}";
    private const string NotX = "{'matchExpressions':[{'key':'kubernetes.io/metadata.name','operator':'NotIn','values':['x']}]}";

    [Test]
    public void Default_deny_ingress([Values("tcp", "udp")] string protocol)
    {
        Ingress("x", All);
        Truth(protocol, 80, (_, to) => !X(to));
    }

    [Test]
    public void Default_deny_all()
    {
        Cluster.PutPolicy("x", "deny-all", "{'podSelector':{},'policyTypes':['Ingress','Egress']}");
        Truth("tcp", 80, (from, to) => !X(from) && !X(to));
    }

    [Test]
    public void From_pods_within_the_server_s_namespace_based_on_PodSelector()
    {
        Ingress("x", A, $"{{'from':[{{'podSelector':{B}}}]}}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || Is(from, "x/b"));
    }

    [Test]
    public void Ingress_for_a_target()
    {
        Ingress("x", All);
        Ingress("x", A, "{'from':[{'podSelector':{},'namespaceSelector':{}}]}");
        Truth("tcp", 80, (_, to) => !X(to) || Is(to, "x/a"));
    }

    [Test]
    public void From_pods_in_all_namespaces()
    {
        Ingress("x", A, "{'from':[{'namespaceSelector':{}}]}");
        Truth("tcp", 80, (_, _) => true);
    }

    [Test]
    public void Only_from_a_different_namespace_based_on_NamespaceSelector([Values("{'matchLabels':{'kubernetes.io/metadata.name':'y'}}",
        "{'matchExpressions':[{'key':'kubernetes.io/metadata.name','operator':'In','values':['y']}]}")] string y)
    {
        Ingress("x", A, $"{{'from':[{{'namespaceSelector':{y}}}]}}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || from.Namespace == "y");
    }

    [Test]
    public void PodSelector_with_MatchExpressions()
    {
        Ingress("x", A, "{'from':[{'podSelector':{'matchExpressions':[{'key':'pod','operator':'In','values':['b']}]} }]}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || Is(from, "x/b"));
    }

    [Test]
    public void PodSelector_or_NamespaceSelector()
    {
        Ingress("x", A, $"{{'from':[{{'namespaceSelector':{NotX}}},{{'podSelector':{B}}}]}}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || !X(from) || from.Name == "b");
    }

    [Test]
    public void PodSelector_and_NamespaceSelector()
    {
        Ingress("x", A, $"{{'from':[{{'namespaceSelector':{NotX},'podSelector':{B}}}]}}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || (!X(from) && from.Name == "b"));
    }

    [Test]
    public void Multiple_PodSelectors_and_NamespaceSelectors()
    {
        Ingress("x", A, $"{{'from':[{{'namespaceSelector':{NotX},'podSelector':{{'matchExpressions':[{{'key':'pod','operator':'In','values':['b','c']}}]}} }}]}}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || (!X(from) && from.Name != "a"));
    }

    [Test]
    public void Any_PodSelectors()
    {
        Ingress("x", A, "{'from':[{'podSelector':{'matchLabels':{'pod':'b'}}},{'podSelector':{'matchLabels':{'pod':'c'}}}]}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || (X(from) && from.Name != "a"));
    }

    [Test]
    public void Only_from_a_pod_in_a_different_namespace_based_on_both_selectors([Values("tcp", "udp")] string protocol)
    {
        Ingress("x", A, $"{{'from':[{{'namespaceSelector':{Named("y")},'podSelector':{A}}}]}}");
        Truth(protocol, 80, (from, to) => !Is(to, "x/a") || Is(from, "y/a"));
    }

    [Test]
    public void Ports_and_stacked_policies_with_overlapping_podSelectors([Values("tcp", "udp")] string protocol)
    {
        Ingress("x", A, $"{{'from':[{{'namespaceSelector':{Named("y")}}}],'ports':[{{'port':81,'protocol':'{protocol.ToUpperInvariant()}'}}]}}");
        Truth(protocol, 81, (from, to) => !Is(to, "x/a") || from.Namespace == "y");
        Truth(protocol, 80, (_, to) => !Is(to, "x/a"));
        Ingress("x", A, $"{{'from':[{{'namespaceSelector':{Named("y")}}}],'ports':[{{'port':80,'protocol':'{protocol.ToUpperInvariant()}'}}]}}");
        Truth(protocol, 80, (from, to) => !Is(to, "x/a") || from.Namespace == "y");
    }

    [Test]
    public void Allow_all()
    {
        Ingress("x", All, "{}");
        Truth("tcp", 80, (_, _) => true);
        Truth("tcp", 81, (_, _) => true);
    }

    [Test]
    public void Ingress_on_one_named_port()
    {
        Ingress("x", All, "{'ports':[{'port':'serve-81-tcp','protocol':'TCP'}]}");
        Truth("tcp", 81, (_, _) => true);
        Truth("tcp", 80, (_, to) => !X(to));
    }

    [Test]
    public void Ingress_from_a_namespace_on_one_named_port()
    {
        Ingress("x", A, $"{{'from':[{{'namespaceSelector':{Named("y")}}}],'ports':[{{'port':'serve-80-tcp','protocol':'TCP'}}]}}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || from.Namespace == "y");
        Truth("tcp", 81, (_, to) => !Is(to, "x/a"));
    }

    [Test]
    public void Egress_on_one_named_port()
    {
        Egress("x", All, "{'ports':[{'port':'serve-80-tcp','protocol':'TCP'}]}");
        Truth("tcp", 80, (_, _) => true);
        Truth("tcp", 81, (from, _) => !X(from));
    }

    [Test]
    public void An_updated_policy()
    {
        Cluster.PutPolicy("x", "mutates", "{'podSelector':{},'policyTypes':['Ingress'],'ingress':[{}]}");
        Truth("tcp", 81, (_, _) => true);
        Cluster.PutPolicy("x", "mutates", "{'podSelector':{},'policyTypes':['Ingress']}");
        Truth("tcp", 81, (_, to) => !X(to));
    }

    [Test]
    public void Ingress_from_an_updated_namespace()
    {
        Ingress("x", A, "{'from':[{'namespaceSelector':{'matchLabels':{'ns2':'updated'}}}]}");
        Truth("tcp", 80, (_, to) => !Is(to, "x/a"));
        Cluster.PutNamespace("y", ",'ns2':'updated'");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || from.Namespace == "y");
        Cluster.PutNamespace("y");
        Truth("tcp", 80, (_, to) => !Is(to, "x/a"));
    }

    [Test]
    public void Ingress_from_an_updated_pod()
    {
        Ingress("x", A, "{'from':[{'podSelector':{'matchLabels':{'pod':'b','pod2':'updated'}}}]}");
        Truth("tcp", 80, (_, to) => !Is(to, "x/a"));
        Cluster.SetLabels(Pod("x/b"), ",'pod2':'updated'");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || Is(from, "x/b"));
        Cluster.SetLabels(Pod("x/b"), "");
        Truth("tcp", 80, (_, to) => !Is(to, "x/a"));
    }

    [Test]
    public void No_ingress_from_pods_on_other_namespaces()
    {
        Ingress("x", All, "{'from':[{'podSelector':{}}]}");
        Truth("tcp", 80, (from, to) => !X(to) || X(from));
    }

    [Test]
    public void No_ingress_to_an_updated_pod()
    {
        Ingress("x", "{'matchLabels':{'target':'isolated'}}");
        Truth("tcp", 80, (_, _) => true);
        Cluster.SetLabels(Pod("x/a"), ",'target':'isolated'");
        Truth("tcp", 80, (_, to) => !Is(to, "x/a"));
        Cluster.SetLabels(Pod("x/a"), "");
        Truth("tcp", 80, (_, _) => true);
    }

    [Test]
    public void No_egress_from_pods_based_on_PodSelector()
    {
        Egress("x", A);
        Truth("tcp", 80, (from, _) => !Is(from, "x/a"));
    }

    [Test]
    public void No_egress_from_all_pods_in_a_namespace()
    {
        Egress("x", All);
        Truth("tcp", 80, (from, _) => !X(from));
    }

    [Test]
    public void Ingress_and_Egress_together()
    {
        Cluster.PutPolicy("x", "both", $"{{'podSelector':{A},'policyTypes':['Egress','Ingress'],'ingress':[{{'from':[{{'podSelector':{B}}}]}}],'egress':[{{'ports':[{{'port':80,'protocol':'TCP'}}]}}]}}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || Is(from, "x/b"));
        Truth("tcp", 81, (from, to) => !Is(from, "x/a") && (!Is(to, "x/a") || Is(from, "x/b")));
    }

    [Test]
    public void Egress_denied_on_the_client_s_side_though_the_server_allows_it()
    {
        Egress("x", A, $"{{'to':[{{'namespaceSelector':{Named("y")},'podSelector':{A}}}]}}");
        Ingress("y", A, $"{{'from':[{{'namespaceSelector':{Named("x")},'podSelector':{A}}}]}}");
        Ingress("y", B, $"{{'from':[{{'namespaceSelector':{Named("x")},'podSelector':{A}}}]}}");
        Truth("tcp", 80, (from, to) => Is(from, "x/a") ? Is(to, "y/a") : !Is(to, "y/a") && !Is(to, "y/b"));
    }

    [Test]
    public void Egress_to_a_server_in_a_different_namespace_based_on_both_selectors()
    {
        Egress("x", A, $"{{'to':[{{'namespaceSelector':{Named("y")},'podSelector':{A}}}]}}");
        Truth("tcp", 80, (from, to) => !Is(from, "x/a") || Is(to, "y/a"));
    }

    [Test]
    public void Any_port_on_a_specific_protocol()
    {
        Ingress("x", A, "{'ports':[{'protocol':'TCP'}]}");
        Truth("tcp", 80, (_, _) => true);
        Truth("udp", 80, (_, to) => !Is(to, "x/a"));
    }

    [Test]
    public void Allow_all_takes_precedence_over_a_port([Values] bool isIngress)
    {
        Action<string, string, string[]> put = isIngress ? Ingress : Egress;
        put("x", All, ["{'ports':[{'port':80,'protocol':'TCP'}]}"]);
        Truth("tcp", 81, (from, to) => !X(isIngress ? to : from));
        put("x", All, ["{}"]);
        Truth("tcp", 81, (_, _) => true);
    }

    [Test]
    public void Policies_stop_when_they_are_deleted_and_come_back_when_made_anew()
    {
        for (var round = 0; round < 2; round++)
        {
            Cluster.PutPolicy("x", "deny-all", "{'podSelector':{},'policyTypes':['Ingress','Egress']}");
            Truth("tcp", 80, (from, to) => !X(from) && !X(to));
            Cluster.DeletePolicies();
            Truth("tcp", 80, (_, _) => true);
        }
    }

    [Test]
    public void Egress_to_a_server_in_a_CIDR_block_of_either_family()
    {
        var server = Pod("y/b");
        Egress("x", A, $"{{'to':[{{'ipBlock':{{'cidr':'{server.Address}/32'}} }},{{'ipBlock':{{'cidr':'{server.Address6}/128'}} }}]}}");
        Truth("tcp", 80, (from, to) => !Is(from, "x/a") || Is(to, "y/b"));
    }

    /// <summary>The block is the /4 around the pod, as there, which holds service addresses, too.</summary>
    [Test]
    public void Except_clause_and_a_policy_that_allows_what_it_excepts()
    {
        var server = Pod("x/b");
        Cluster.PutPolicy("x", "cidr", $"{{'podSelector':{A},'policyTypes':['Egress'],'egress':[{{'to':[{{'ipBlock':{{'cidr':'0.0.0.0/4','except':['{server.Address}/32']}} }},{{'ipBlock':{{'cidr':'f000::/4','except':['{server.Address6}/128']}} }}]}}]}}");
        Truth("tcp", 80, (from, to) => !Is(from, "x/a") || !Is(to, "x/b"));
        Cluster.PutPolicy("x", "cidr", $"{{'podSelector':{A},'policyTypes':['Egress'],'egress':[{{'to':[{{'ipBlock':{{'cidr':'{server.Address}/32'}} }},{{'ipBlock':{{'cidr':'{server.Address6}/128'}} }}]}}]}}");
        Truth("tcp", 80, (from, to) => !Is(from, "x/a") || Is(to, "x/b"));
    }

    [Test]
    public void Ingress_and_egress_can_be_controlled_independently_based_on_PodSelector()
    {
        Egress("x", A, "{}");
        Truth("tcp", 80, (_, _) => true);
        Ingress("x", A);
        Truth("tcp", 80, (_, to) => !Is(to, "x/a"));
    }

    [Test]
    public void SCTP_is_not_mistaken_for_TCP()
    {
        Ingress("x", All);
        Ingress("x", A, "{'ports':[{'port':81,'protocol':'SCTP'}]}");
        Truth("tcp", 81, (_, to) => !X(to));
    }

    [Test]
    public void A_policy_that_allows_only_another_protocol_isolates([Values("SCTP", "UDP")] string other)
    {
        Ingress("x", A, $"{{'ports':[{{'port':81,'protocol':'{other}'}}]}}");
        Truth("tcp", 81, (_, to) => !Is(to, "x/a"));
    }

    [Test]
    public void NamespaceSelector_with_MatchExpressions_for_egress()
    {
        Egress("x", A, "{'to':[{'namespaceSelector':{'matchExpressions':[{'key':'kubernetes.io/metadata.name','operator':'NotIn','values':['y']}]} }]}");
        Truth("tcp", 80, (from, to) => !Is(from, "x/a") || to.Namespace != "y");
    }

    /// <summary>The probes of the kubelet, which is a process of the node.</summary>
    [Test]
    public void The_node_always_reaches_its_pods()
    {
        using var kubelet = Agnhost.StartOn(Cluster.Box, "kubelet");
        Cluster.PutPolicy("x", "deny-all", "{'podSelector':{},'policyTypes':['Ingress','Egress']}");
        Truth("tcp", 80, (from, to) => !X(from) && !X(to));
        foreach (var pod in Services.Keys.Where(X))
            foreach (var address in (string[])[pod.Address, pod.Address6, Services[pod].Address, Services[pod].Address6])
                Assert.That(kubelet.Ask("tcp", address, 80), Does.StartWith($"{pod.Name} as "), $"{pod} at {address}");
    }

    /// <summary>Of the same name, with another address and uid: it is another pod under the same policies, from its first packet on.</summary>
    [Test]
    public void A_pod_that_is_deleted_and_made_anew_is_under_the_same_policies()
    {
        Ingress("x", A, $"{{'from':[{{'podSelector':{B}}}]}}");
        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || Is(from, "x/b"));
        foreach (var name in (string[])["a", "b"])
        {
            var old = Pod($"x/{name}");
            Services.Remove(old);
            Cluster.DeleteService("x", $"s-x-{name}");
            Cluster.Remove(old);
            Start("x", name);
        }

        Truth("tcp", 80, (from, to) => !Is(to, "x/a") || Is(from, "x/b"));
    }
}

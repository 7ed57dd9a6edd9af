using NodeMesh.Agent.Hosting;
using NodeMesh.Agent.Options;
using NodeMesh.Datapath;
using NodeMesh.Proxy;

namespace NodeMesh.Agent.Commands;

internal static class AgentCommand
{
    public static Verb Create()
    {
        var verb = new Verb("agent", "Run the agent on this node (root)",
            new Example("nodemesh agent --config-dir /etc/nodemesh", "Serve the objects of a directory, no cluster needed"),
            new Example("nodemesh agent --kubeconfig /etc/nodemesh/kubeconfig --node-name node-a", "Serve a cluster's objects, outside a pod"),
            new Example("nodemesh agent --config-dir /etc/nodemesh --log-format json --access-log json", "Logs for a program to read"),
            new Example("nodemesh agent --config-dir /etc/nodemesh --metrics-address 127.0.0.1:9464", "Metrics for this node alone"),
            new Example("nodemesh agent --config-dir /etc/nodemesh --map-size connections=1000000", "More tracked connections than the default"),
            new Example("NODEMESH_CONFIG_DIR=/etc/nodemesh nodemesh agent --bpf-compile", "Options from the environment; compile the data path on this node"));
        var options = OptionBinding.To(verb, OptionTable.All);
        verb.Does(async (parse, _) =>
        {
            try
            {
                return await AgentHost.RunAsync(AgentOptions.Read(options.Read(parse))).ConfigureAwait(false);
            }
            catch (NodeFaultException e)
            {
                throw new CommandFailure(NodeChecks.CodeOf(e.Fault), e.Message, e);
            }
            catch (ProxyStartException e)
            {
                throw new CommandFailure(ExitCode.PortInUse, e.Message, e);
            }
        });
        return verb;
    }
}

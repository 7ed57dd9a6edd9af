using NodeMesh.Agent.Cni;
using NodeMesh.Agent.Commands;

// As a CNI plugin the binary runs for every pod that starts, and nothing of the agent must be in its way.
if (CniPlugin.IsAsked(args))
    return await CniPlugin.RunAsync(Environment.GetEnvironmentVariable, Console.In, Console.Out, Console.Error).ConfigureAwait(false);
return await CommandTree.RunAsync(args).ConfigureAwait(false);

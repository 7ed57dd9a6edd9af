using NodeMesh.Agent.Commands;

return await CommandTree.RunAsync(args).ConfigureAwait(false);

using NodeMesh.Agent.Cni;

namespace NodeMesh.Agent.Commands;

internal static class CniCommand
{
    public static Verb Create()
    {
        var verb = new Verb("cni", "Act as the chained CNI plugin, as the container runtime starts it: by CNI_ variables, with the configuration on stdin",
            new Example("CNI_COMMAND=VERSION nodemesh cni < /dev/null", "Which versions of the specification"));
        verb.Does(async (parse, _) => (ExitCode)await CniPlugin.RunAsync(
            Environment.GetEnvironmentVariable, Console.In, parse.InvocationConfiguration.Output, parse.InvocationConfiguration.Error).ConfigureAwait(false));
        return verb;
    }
}

using System.CommandLine;
using NodeMesh.Agent.Cni;
using NodeMesh.Agent.Hosting;
using NodeMesh.Agent.Options;
using NodeMesh.Agent.Output;
using NodeMesh.Datapath;
using NodeMesh.Native;
using NodeMesh.Sources.Kubernetes;

namespace NodeMesh.Agent.Commands;

/// <summary>The verbs about this machine.</summary>
internal static class NodeCommands
{
    private static readonly OptionSpec[] s_places = [OptionTable.Bpffs, OptionTable.Cgroup, OptionTable.RunDir];

    public static Verb Check()
    {
        var verb = new Verb("check", "Is this kernel and machine able: each feature, what is lost without it, and the cure",
            new Example("nodemesh check", "Before the first start"),
            new Example("nodemesh check -o json", "For a script; the exit code is 5 when the agent could not run"));
        var options = OptionBinding.To(verb, s_places);
        var output = OutputOption.Create();
        verb.Options.Add(output);
        verb.Does(parse =>
        {
            KernelFeature[] features = [.. KernelProbe.Run(Places(options.Read(parse))), .. NodeChecks.Programs(), NodeChecks.KubeProxy()];
            var able = features.All(f => f.Ok || !f.Required);
            var attach = features.FirstOrDefault(f => f.Name == "tcx") switch { null => "not known without privilege", { Ok: true } => "tcx", _ => "clsact" };
            var result = new CheckResult(able, attach, [.. features.Select(f => new CheckedFeature(f.Name, f.Ok, f.Required, f.Detail, f.Lost, f.Cure))]);
            parse.InvocationConfiguration.Output.Write(parse.GetValue(output) == OutputFormat.Json ? JsonText.Of(result, JsonText.Default.CheckResult) + "\n" : Tables.Check(result));
            return able ? ExitCode.Ok : ExitCode.NotReady;
        });
        return verb;
    }

    public static Verb Mount()
    {
        var verb = new Verb("mount", "Mount the file systems that the agent needs of a node, BPF and cgroup2, where they are not (root)",
            new Example("nodemesh mount", "Once, on a node without systemd"),
            new Example("nodemesh mount --mount-namespace /proc/1/ns/mnt", "From a container that sees the node's processes"));
        var options = OptionBinding.To(verb, [OptionTable.Bpffs]);
        var where = new Option<string>("--mount-namespace") { Description = "Mount them for the processes of this mount namespace, unless they are seen in this one already", HelpName = "FILE", DefaultValueFactory = _ => "" };
        verb.Options.Add(where);
        verb.Does(parse =>
        {
            try
            {
                var done = NodeMounts.Ensure(parse.GetValue(where)!, options.Read(parse).One(OptionTable.Bpffs));
                var output = parse.InvocationConfiguration.Output;
                foreach (var item in done)
                    output.WriteLine($"mounted {item}");
                if (done.Count == 0)
                    output.WriteLine("all was mounted already");
                return ExitCode.Ok;
            }
            catch (SyscallException e) when (e.Errno is Errno.EPERM or Errno.EACCES)
            {
                throw new CommandFailure(ExitCode.NotPrivileged, $"{e.Message}. Cure: run as root; in a container with CAP_SYS_ADMIN, CAP_SYS_CHROOT and CAP_SYS_PTRACE", e);
            }
            catch (Exception e) when (e is SyscallException or IOException or UnauthorizedAccessException)
            {
                throw new CommandFailure(ExitCode.Failed, e.Message, e);
            }
        });
        return verb;
    }

    public static Verb Cleanup()
    {
        var verb = new Verb("cleanup", "Take everything of NodeMesh off this node: programs, tables, rules, routes, the CNI gate (root; the agent must be stopped)",
            new Example("nodemesh cleanup", "After the agent was removed for good"));
        var options = OptionBinding.To(verb, [.. s_places, OptionTable.CniBinDir, OptionTable.CniConfDir]);
        var stay = new Option<bool>("--stay") { Description = "Then do nothing until SIGTERM, as the container of a DaemonSet has to" };
        verb.Options.Add(stay);
        verb.Does(async (parse, _) =>
        {
            // Before anything is taken away: it is not left half done.
            using var signals = parse.GetValue(stay) ? new StopSignals() : null;
            try
            {
                var values = options.Read(parse);
                var places = Places(values);

                // Not before it is known that no agent runs, which would put it back.
                IReadOnlyList<string> removed = [.. Cleaner.Run(places).Removed, .. CniFiles.Remove(values.One(OptionTable.CniBinDir), values.One(OptionTable.CniConfDir))];
                File.Delete(Path.Combine(places.RunDirectory, "api.sock"));
                OpenedPods.Clear(places.RunDirectory);
                KeptSandboxes.Clear(places.RunDirectory);
                if (KubernetesSource.RemoveCache(MeshSources.CacheOf(places.RunDirectory)) is { } cache)
                    removed = [.. removed, cache];
                var output = parse.InvocationConfiguration.Output;
                foreach (var item in removed)
                    output.WriteLine($"removed {item}");
                output.WriteLine(removed.Count == 0 ? "nothing of NodeMesh was on this node" : "this node is as it was");
                if (signals is not null)
                    await signals.Asked.ConfigureAwait(false);
                return ExitCode.Ok;
            }
            catch (NodeFaultException e)
            {
                throw new CommandFailure(NodeChecks.CodeOf(e.Fault), e.Message, e);
            }
            catch (Exception e) when (e is UnauthorizedAccessException or SyscallException { Errno: Errno.EPERM or Errno.EACCES })
            {
                throw new CommandFailure(ExitCode.NotPrivileged, $"{e.Message}. Cure: run as root", e);
            }
        });
        return verb;
    }

    private static DatapathOptions Places(OptionValues values) => new()
    {
        BpffsPath = values.One(OptionTable.Bpffs),
        CgroupPath = values.OneOr(OptionTable.Cgroup, ""),
        RunDirectory = Path.GetFullPath(values.One(OptionTable.RunDir)),
    };
}

namespace NodeMesh.Flows.Metrics;

/// <summary>Every metric there is.</summary>
public static class MetricCatalog
{
    public static readonly MetricSpec AgentInfo = new("nodemesh_agent_info", MetricType.Gauge, "Always 1; the labels say which agent this is", "version", "node", "attach");
    public static readonly MetricSpec AgentReady = new("nodemesh_agent_ready", MetricType.Gauge, "1 once the data path enforces a plan, as /readyz says");
    public static readonly MetricSpec AgentStarted = new("nodemesh_agent_start_time_seconds", MetricType.Gauge, "When the agent started, Unix time");
    public static readonly MetricSpec AgentResident = new("nodemesh_agent_resident_bytes", MetricType.Gauge, "Resident memory of the agent, proxy included");
    public static readonly MetricSpec AgentCpu = new("nodemesh_agent_cpu_seconds_total", MetricType.Counter, "CPU time of the agent, proxy included");

    public static readonly MetricSpec Drops = new("nodemesh_datapath_drops_total", MetricType.Counter, "Packets and connections refused in the kernel; docs/reasons.md explains each reason", "reason", "direction");
    public static readonly MetricSpec Packets = new("nodemesh_datapath_packets_total", MetricType.Counter, "Packets seen in the kernel, by what was decided", "reason", "direction");
    public static readonly MetricSpec Bytes = new("nodemesh_datapath_bytes_total", MetricType.Counter, "Bytes of those packets", "reason", "direction");
    public static readonly MetricSpec PodPackets = new("nodemesh_pod_packets_total", MetricType.Counter, "Packets of one pod of this node that passed", "namespace", "pod", "direction");
    public static readonly MetricSpec PodBytes = new("nodemesh_pod_bytes_total", MetricType.Counter, "Bytes of those packets", "namespace", "pod", "direction");
    public static readonly MetricSpec PodDrops = new("nodemesh_pod_drops_total", MetricType.Counter, "Packets of one pod of this node that were refused", "namespace", "pod", "direction");
    public static readonly MetricSpec PolicyConnections = new("nodemesh_policy_connections_total", MetricType.Counter, "New connections that a policy rule decided about, by what it decided; only with --policy-metrics, and then of the 1000 busiest rows", "rule", "reason");
    public static readonly MetricSpec MapEntries = new("nodemesh_datapath_map_entries", MetricType.Gauge, "Rows in a kernel table; of the tables that the programs write (connections, fragments, counters, translations, affinities) counted at most every 30 s, rows whose time is over included", "map");
    public static readonly MetricSpec TrackedConnections = new("nodemesh_conntrack_connections", MetricType.Gauge, "Tracked connections that are not over, at the last count (every 5 s)", "map");
    public static readonly MetricSpec TrackedPressure = new("nodemesh_conntrack_pressure_ratio", MetricType.Gauge, "The same, over the number from which on no pod gets more than its share: at 1 the drops under connection_share begin", "map");
    public static readonly MetricSpec MapCapacity = new("nodemesh_datapath_map_capacity", MetricType.Gauge, "Most rows that the table takes; see --map-size", "map");
    public static readonly MetricSpec Endpoints = new("nodemesh_datapath_endpoints", MetricType.Gauge, "Pods of this node, by whether the data path enforces policy at them", "state");
    public static readonly MetricSpec EnforcedRevision = new("nodemesh_datapath_enforced_revision", MetricType.Gauge, "Revision of the plan that the kernel enforces");
    public static readonly MetricSpec Reconciles = new("nodemesh_datapath_reconciles_total", MetricType.Counter, "Rounds in which the kernel was brought to the plan");
    public static readonly MetricSpec ReconcileErrors = new("nodemesh_datapath_errors_total", MetricType.Counter, "Rows or attachments that the kernel refused");
    public static readonly MetricSpec ReconcileWrites = new("nodemesh_datapath_writes_total", MetricType.Counter, "Rows of kernel tables written or removed");
    public static readonly MetricSpec AttachChanges = new("nodemesh_datapath_attach_changes_total", MetricType.Counter, "Programs attached, swapped or taken off, and routing rules and routes added");
    public static readonly MetricSpec Drift = new("nodemesh_datapath_drift_total", MetricType.Counter, "Rows that an audit found other than written, and put right");
    public static readonly MetricSpec Disturbances = new("nodemesh_datapath_disturbances_total", MetricType.Counter, "What others did to what the agent holds on the node: put a program before its own (overtaken), took one off (detached), removed pins (unpinned), or run a second agent (second_agent); docs/on-the-node.md says what is done about each", "kind");
    public static readonly MetricSpec ReconcileDuration = new("nodemesh_datapath_reconcile_duration_seconds", MetricType.Histogram, "Time of one such round");
    public static readonly MetricSpec HeldPods = new("nodemesh_cni_held_pods", MetricType.Gauge, "Pods whose start waits for their policy now");
    public static readonly MetricSpec UnguardedPods = new("nodemesh_cni_unguarded_pods_total", MetricType.Counter, "Pods that started without their policy in force, under --cni-gate=fail-open");
    public static readonly MetricSpec RuntimeConnected = new("nodemesh_cri_connected", MetricType.Gauge, "1 while the container runtime answers at --cri-socket; 0: pods are found by their cgroups alone");
    public static readonly MetricSpec RuntimeSandboxes = new("nodemesh_cri_sandboxes", MetricType.Gauge, "Sandboxes that run, as the container runtime says at --cri-socket");

    public static readonly MetricSpec SourceConnected = new("nodemesh_source_connected", MetricType.Gauge, "1 while the API server's objects of this resource are followed, or its kind is not installed; 0: what was heard last stays in force", "resource");
    public static readonly MetricSpec SourceSynced = new("nodemesh_source_synced", MetricType.Gauge, "1 once all objects of this resource have been heard since the agent's start; until all are, nothing is removed from the kernel", "resource");
    public static readonly MetricSpec SourceObjects = new("nodemesh_source_objects", MetricType.Gauge, "Objects heard from the API server", "resource");
    public static readonly MetricSpec SourceStale = new("nodemesh_source_stale_objects", MetricType.Gauge, "Objects as they were before the agent began, since the API server was away then, and not heard since", "resource");
    public static readonly MetricSpec SourceCacheBytes = new("nodemesh_source_cache_bytes", MetricType.Gauge, "Size of what the node keeps of the API server's objects for an agent that starts while the server is away; 0: nothing is kept");
    public static readonly MetricSpec SourceSince = new("nodemesh_source_disconnected_seconds", MetricType.Gauge, "For how long the longest-missed resource of the API server has not been followed; 0: all are");
    public static readonly MetricSpec SourceLists = new("nodemesh_source_lists_total", MetricType.Counter, "How often everything was asked for, in pages or as the beginning of a watch", "resource");
    public static readonly MetricSpec SourceWatches = new("nodemesh_source_watches_total", MetricType.Counter, "Watches begun; the API server ends each after five to ten minutes", "resource");
    public static readonly MetricSpec SourceEvents = new("nodemesh_source_events_total", MetricType.Counter, "Changes heard", "resource");
    public static readonly MetricSpec SourceErrors = new("nodemesh_source_errors_total", MetricType.Counter, "Requests that the API server refused or did not answer, and watches that broke", "resource");

    public static readonly MetricSpec PlanRevision = new("nodemesh_plan_revision", MetricType.Gauge, "Revision of the newest plan; ahead of the enforced one while work is under way");
    public static readonly MetricSpec PlanDuration = new("nodemesh_plan_compile_duration_seconds", MetricType.Histogram, "Time to compile one plan");
    public static readonly MetricSpec PlanObjects = new("nodemesh_plan_objects", MetricType.Gauge, "Objects in the newest plan", "kind");
    public static readonly MetricSpec Diagnostics = new("nodemesh_diagnostics", MetricType.Gauge, "What is wrong in the objects as written; nodemesh diagnostics lists them", "severity");

    public static readonly MetricSpec Requests = new("nodemesh_proxy_requests_total", MetricType.Counter, "HTTP requests answered; reason is the access log's response flag, or - when nothing was wrong", "route", "cluster", "code", "reason");
    public static readonly MetricSpec Audited = new("nodemesh_proxy_audited_requests_total", MetricType.Counter, "Requests, and connections that carried none, that the proxy let through and a policy under audit would have refused; rule names it, others are those beyond 1024 per worker", "rule");
    public static readonly MetricSpec RequestDuration = new("nodemesh_proxy_request_duration_seconds", MetricType.Histogram, "From a request's first byte to its answer's last", "route", "cluster");
    public static readonly MetricSpec Connections = new("nodemesh_proxy_connections_total", MetricType.Counter, "Client connections that the proxy took, by what they turned out to be", "kind");
    public static readonly MetricSpec ConnectionsActive = new("nodemesh_proxy_connections_active", MetricType.Gauge, "Those open now", "kind");
    public static readonly MetricSpec ConnectionErrors = new("nodemesh_proxy_connection_errors_total", MetricType.Counter, "Client connections that ended badly outside any request; reason is the access log's response flag", "reason");
    public static readonly MetricSpec AcceptErrors = new("nodemesh_proxy_accept_errors_total", MetricType.Counter, "Connections that could not be taken from a listener");
    public static readonly MetricSpec ListenersDown = new("nodemesh_proxy_listeners_down", MetricType.Gauge, "Listeners that should be open and are not; nodemesh status says why");
    public static readonly MetricSpec ProxyBytes = new("nodemesh_proxy_bytes_total", MetricType.Counter, "Bytes received from clients or sent to them", "direction");
    public static readonly MetricSpec UpstreamOpened = new("nodemesh_proxy_upstream_opened_total", MetricType.Counter, "Connections opened to backends");
    public static readonly MetricSpec UpstreamReused = new("nodemesh_proxy_upstream_reused_total", MetricType.Counter, "Requests that found an idle connection to their backend");
    public static readonly MetricSpec UpstreamRetries = new("nodemesh_proxy_upstream_retries_total", MetricType.Counter, "Requests sent again because an idle connection turned out closed");
    public static readonly MetricSpec UpstreamConnections = new("nodemesh_proxy_upstream_connections", MetricType.Gauge, "Connections to backends now", "state");
    public static readonly MetricSpec ProxyRevision = new("nodemesh_proxy_revision", MetricType.Gauge, "Revision of the plan by which the proxy serves");
    public static readonly MetricSpec LogDropped = new("nodemesh_accesslog_dropped_records_total", MetricType.Counter, "Access-log records lost because their reader was slower than requests came");
    public static readonly MetricSpec LogWritten = new("nodemesh_accesslog_written_records_total", MetricType.Counter, "Access-log records written");

    /// <summary>In the order of the page.</summary>
    public static readonly MetricSpec[] All =
    [
        AgentInfo, AgentReady, AgentStarted, AgentResident, AgentCpu,
        Drops, Packets, Bytes, PodPackets, PodBytes, PodDrops, PolicyConnections, MapEntries, MapCapacity, TrackedConnections, TrackedPressure, Endpoints, EnforcedRevision, Reconciles, ReconcileErrors, ReconcileWrites, AttachChanges, Drift, Disturbances, ReconcileDuration, HeldPods, UnguardedPods, RuntimeConnected, RuntimeSandboxes,
        SourceConnected, SourceSynced, SourceObjects, SourceStale, SourceCacheBytes, SourceSince, SourceLists, SourceWatches, SourceEvents, SourceErrors,
        PlanRevision, PlanDuration, PlanObjects, Diagnostics,
        Requests, Audited, RequestDuration, Connections, ConnectionsActive, ConnectionErrors, AcceptErrors, ListenersDown, ProxyBytes,
        UpstreamOpened, UpstreamReused, UpstreamRetries, UpstreamConnections, ProxyRevision, LogDropped, LogWritten,
    ];
}

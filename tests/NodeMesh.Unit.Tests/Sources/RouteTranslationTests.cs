using NodeMesh.Model;
using NodeMesh.Sources.Translate;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class RouteTranslationTests
{
    private static readonly string[] Backend = [Manifests.Service("web", "10.96.0.1"), Manifests.Service("v2", "10.96.0.2"), Manifests.Pod("a", "10.0.0.1")];

    private static Route Route(string spec) => Manifests.Clean([.. Backend, Manifests.Route(spec)]).Routes.Single();

    private const string Parent = "parentRefs: [{group: '', kind: Service, name: web}]";

    [Test]
    public void Defaults_are_filled_in()
    {
        var route = Route($"{{{Parent}}}");
        Assert.That(route.Parents.Single(), Is.EqualTo(new RouteParent(ParentKind.Service, new("shop", "web"), null, null)));
        var match = route.Rules.Single().Matches.Single();
        Assert.That((match.Path, match.Method), Is.EqualTo((new StringMatch(MatchType.PathPrefix, "/"), (string?)null)));
    }

    [Test]
    public void Matches_weights_and_timeouts_are_read()
    {
        var rule = Route($$$"""
            { {{{Parent}}}, rules: [{name: first,
              matches: [{path: {type: Exact, value: /a}, method: GET, headers: [{name: X-V, value: '2'}], queryParams: [{name: Q, type: RegularExpression, value: 'a+'}]},
                        {path: {value: /b/}}],
              backendRefs: [{name: web, port: 80, weight: 90}, {name: v2, port: 80, weight: 10}, {name: web, port: 80}],
              timeouts: {request: 10s, backendRequest: 500ms}}] }
            """).Rules.Single();
        Assert.That(rule.Name, Is.EqualTo("first"));
        var (a, b) = (rule.Matches[0], rule.Matches[1]);
        Assert.That((a.Path, a.Method), Is.EqualTo((new StringMatch(MatchType.Exact, "/a"), "GET")));
        Assert.That(a.Headers, Is.EqualTo(new[] { new HeaderMatch("x-v", MatchType.Exact, "2") }));
        Assert.That(a.Query, Is.EqualTo(new[] { new HeaderMatch("Q", MatchType.Regex, "a+") }));
        Assert.That(b.Path, Is.EqualTo(new StringMatch(MatchType.PathPrefix, "/b")));
        Assert.That(rule.Backends.Select(x => (x.Service.Name, x.Port, x.Weight, x.Invalid)),
            Is.EqualTo(new[] { ("web", (ushort)80, 90, (string?)null), ("v2", (ushort)80, 10, null), ("web", (ushort)80, 1, null) }));
        Assert.That((rule.RequestTimeout, rule.BackendTimeout), Is.EqualTo((TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(500))));
    }

    [Test]
    public void Filters_are_read()
    {
        var rules = Route($$$"""
            { {{{Parent}}}, rules: [
              {filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: A, value: x}], add: [{name: B, value: z}], remove: [C]}},
                         {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [D]}},
                         {type: URLRewrite, urlRewrite: {hostname: h.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: /x} } }],
               backendRefs: [{name: web, port: 80}]},
              {filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: h.example, port: 8443, statusCode: 301, path: {type: ReplaceFullPath, replaceFullPath: /z} } }]}] }
            """).Rules;
        var request = (HeaderFilter)rules[0].Filters[0];
        Assert.That((request.OnResponse, request.Set[0], request.Add[0], request.Remove[0]), Is.EqualTo((false, KeyValuePair.Create("a", "x"), KeyValuePair.Create("b", "z"), "c")));
        Assert.That(((HeaderFilter)rules[0].Filters[1]).OnResponse);
        Assert.That(rules[0].Filters[2], Is.EqualTo(new RewriteFilter("h.example", new PathRewrite(true, "/x"))));
        Assert.That(rules[1].Filters[0], Is.EqualTo(new RedirectFilter("https", "h.example", 8443, new PathRewrite(false, "/z"), 301)));
    }

    [TestCase("{name: gone, port: 80}", RefReason.BackendNotFound, "no usable Service")]
    [TestCase("{name: web, port: 81}", RefReason.BackendNotFound, "no TCP port 81")]
    [TestCase("{name: names, port: 53}", RefReason.BackendNotFound, "no TCP port 53")]
    [TestCase("{name: outside, port: 80}", RefReason.BackendNotFound, "no usable Service")]
    [TestCase("{name: web, namespace: other, port: 80}", RefReason.BackendNotFound, "no usable Service")]
    [TestCase("{group: x.io, kind: Bucket, name: web}", RefReason.InvalidKind, "only Services")]
    [TestCase("{name: speaks, port: 1}", RefReason.UnsupportedProtocol, "kubernetes.io/h2c")]
    [TestCase("{name: speaks, port: 2}", RefReason.UnsupportedProtocol, "https")]
    [TestCase("{name: speaks, port: 3}", RefReason.UnsupportedProtocol, "grpc")]
    [TestCase("{name: speaks, port: 4}", null, "")]
    [TestCase("{name: speaks, port: 5}", null, "")]
    [TestCase("{name: headless, port: 80}", null, "")]
    public void A_backend_that_leads_nowhere_is_marked_and_said(string backend, RefReason? reason, string why)
    {
        string[] services =
        [
            .. Backend, Manifests.Service("headless", "None"), Manifests.Service("names", "10.96.0.3", "[{name: dns, port: 53, protocol: UDP, targetPort: 53}]"),
            "{apiVersion: v1, kind: Service, metadata: {name: outside, namespace: shop}, spec: {type: ExternalName, externalName: example.com, ports: [{port: 80}]}}",
            Manifests.Service("speaks", "10.96.0.4",
                "[{name: a, port: 1, targetPort: 80, appProtocol: kubernetes.io/h2c}, {name: b, port: 2, targetPort: 80, appProtocol: https}, {name: c, port: 3, targetPort: 80, appProtocol: grpc}, "
                + "{name: d, port: 4, targetPort: 80, appProtocol: kubernetes.io/ws}, {name: https-e, port: 5, targetPort: 80}]"),
        ];
        var (mesh, codes, _) = Manifests.Read([.. services, Manifests.Route($"{{{Parent}, rules: [{{backendRefs: [{backend}]}}]}}")]);
        var problem = mesh.Routes.Single().Rules[0].Backends.Single().ProblemAt(ParentKind.Service);
        Assert.That((problem?.Reason, problem?.Message ?? ""), Is.EqualTo((reason, problem?.Message ?? "")));
        Assert.That(problem?.Message ?? "", Does.Contain(why));
        Assert.That(codes, Is.EqualTo(reason is null ? [] : new[] { "invalid-backend" }));
    }

    [TestCase("v1", "[{group: '', kind: Service}]", true)]
    [TestCase("v1beta1", "[{group: '', kind: Service, name: far}]", true)]
    [TestCase("v1beta1", "[{group: '', kind: Service, name: near}]", false)]
    [TestCase("v1beta1", "[{group: '', kind: Secret}]", false)]
    public void A_grant_opens_exactly_what_it_names_to_a_Gateway_and_a_Service_needs_none(string version, string to, bool isOpen)
    {
        var far = Manifests.Service("far", "10.96.0.9").Replace("namespace: shop", "namespace: other");
        var grant = $$"""
            apiVersion: gateway.networking.k8s.io/{{version}}
            kind: ReferenceGrant
            metadata: {name: g, namespace: other}
            spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: {{to}} }
            """;
        const string Gateway = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: GatewayClass
            metadata: {name: nodemesh}
            spec: {controllerName: nodemesh.io/gateway-controller}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: edge, namespace: shop}
            spec: {gatewayClassName: nodemesh, listeners: [{name: web, port: 80, protocol: HTTP}]}
            """;
        foreach (var parents in (string[])["parentRefs: [{name: edge}]", Parent])
        {
            var isForGateway = parents != Parent;
            var (mesh, codes, _) = Manifests.Read([.. Backend, far, grant, Gateway, Manifests.Route($"{{{parents}, rules: [{{backendRefs: [{{name: far, namespace: other, port: 80}}]}}]}}")]);
            var backend = mesh.Routes.Single().Rules[0].Backends.Single();
            Assert.That(backend.ProblemAt(ParentKind.Service), Is.Null, "who calls is judged, not who wrote the route");
            Assert.That(backend.ProblemAt(ParentKind.Gateway)?.Reason, Is.EqualTo(isOpen ? null : RefReason.RefNotPermitted));
            Assert.That(codes, Is.EqualTo(isOpen || !isForGateway ? [] : new[] { "invalid-backend" }));
        }
    }

    [Test]
    public void Whether_a_service_that_a_Gateway_may_not_use_exists_is_not_told()
    {
        var (mesh, _, found) = Manifests.Read(Manifests.Route("{parentRefs: [{name: edge}], rules: [{backendRefs: [{name: secret, namespace: other, port: 80}]}]}"));
        Assert.That(mesh.Routes.Single().Rules[0].Backends.Single().ProblemAt(ParentKind.Gateway)!.Reason, Is.EqualTo(RefReason.RefNotPermitted));
        Assert.That(found.Single(d => d.Code == "invalid-backend").Message, Does.Contain("ReferenceGrant"));
    }

    [TestCase("port: 80", true)]
    [TestCase("sectionName: http", true)]
    [TestCase("port: 80, sectionName: http", true)]
    [TestCase("port: 81", false)]
    [TestCase("sectionName: admin", false)]
    [TestCase("port: 80, sectionName: admin", false)]
    public void A_parent_may_be_one_port_of_a_service_by_number_and_by_name(string which, bool exists)
    {
        var (mesh, _, found) = Manifests.Read([.. Backend, Manifests.Route($"{{parentRefs: [{{name: x, kind: Mesh, group: example.com}}, {{group: '', kind: Service, name: web, {which}}}]}}")]);
        Assert.That(mesh.Routes.Single().Parents.Single().Index, Is.EqualTo(1), "the first is of no kind that is known here");
        Assert.That(found.Select(d => $"{d.FieldPath} {d.Code}"), Is.EquivalentTo(exists ? ["spec.parentRefs[0] unsupported"] : new[] { "spec.parentRefs[0] unsupported", "spec.parentRefs[1] unknown-parent" }));
    }

    [Test]
    public void Of_two_entries_of_a_name_the_first_counts()
    {
        var (mesh, codes, _) = Manifests.Read([.. Backend, Manifests.Route($$$"""
            { {{{Parent}}}, rules: [{
              matches: [{headers: [{name: A, value: x}, {name: a, value: w}], queryParams: [{name: q, value: x}, {name: q, value: w}, {name: Q, value: v}]}],
              filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: A, value: x}, {name: a, value: w}], add: [{name: B, value: x}, {name: b, value: w}]}}],
              backendRefs: [{name: web, port: 80}]}] }
            """)]);
        var rule = mesh.Routes.Single().Rules[0];
        Assert.That(rule.Matches[0].Headers.Single().Value, Is.EqualTo("x"));
        Assert.That(rule.Matches[0].Query.Select(q => $"{q.Name}={q.Value}"), Is.EqualTo(new[] { "q=x", "Q=v" }), "query parameters have case");
        var filter = (HeaderFilter)rule.Filters[0];
        Assert.That((filter.Set.Single().Value, filter.Add.Single().Value), Is.EqualTo(("x", "x")));
        Assert.That(codes, Is.EqualTo(Enumerable.Repeat("duplicate", 4)));
    }

    [TestCase("filters: [{type: RequestMirror, requestMirror: {}}]", "unsupported", "filters[0].type")]
    [TestCase("filters: [{type: ExtensionRef, extensionRef: {}}]", "unsupported", "filters[0].type")]
    [TestCase("filters: [{type: CORS, cors: {}}]", "unsupported", "filters[0].type")]
    [TestCase("filters: [{type: Retry}]", "bad-value", "filters[0].type")]
    [TestCase("filters: [{type: URLRewrite}]", "missing-field", "filters[0].urlRewrite")]
    [TestCase("retry: {attempts: 2}", "unsupported", "retry")]
    [TestCase("matches: [{path: {value: a}}]", "bad-value", "matches[0].path.value")]
    [TestCase("matches: [{path: {value: /a//b}}]", "bad-value", "matches[0].path.value")]
    [TestCase("matches: [{path: {type: RegularExpression, value: '['}}]", "bad-regex", "matches[0].path.value")]
    [TestCase("matches: [{method: get}]", "bad-value", "matches[0].method")]
    [TestCase("matches: [{header: []}]", "unknown-field", "matches[0].header")]
    [TestCase("timeouts: {request: 10}", "wrong-type", "timeouts.request")]
    [TestCase("timeouts: {request: 1.5s}", "bad-duration", "timeouts.request")]
    [TestCase("timeouts: {request: 1s, backendRequest: 2s}", "bad-value", "timeouts")]
    [TestCase("backendRefs: [{name: web}]", "missing-field", "backendRefs[0]")]
    [TestCase("backendRefs: [{name: web, port: 80, weight: -1}]", "out-of-range", "backendRefs[0].weight")]
    [TestCase("filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: web, port: 80}]", "bad-value", "")]
    [TestCase("filters: [{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {hostname: a.b}}]", "incompatible-filters", "filters[0]")]
    [TestCase("filters: [{type: RequestHeaderModifier, requestHeaderModifier: {}}, {type: RequestHeaderModifier, requestHeaderModifier: {}}]", "duplicate", "filters[1]")]
    [TestCase("filters: [{type: RequestRedirect, requestRedirect: {statusCode: 300}}]", "bad-value", "filters[0].requestRedirect.statusCode")]
    [TestCase("filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: \"x\\r\\ny\"}]}}]", "bad-value", "filters[0].requestHeaderModifier.set[0].value")]
    [TestCase("matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]", "bad-value", "filters[0].urlRewrite.path")]
    public void A_faulty_route_is_left_out_and_the_fault_named(string rule, string code, string path)
    {
        var (mesh, _, diagnostics) = Manifests.Read([.. Backend, Manifests.Route($"{{{Parent}, rules: [{{{rule}}}]}}")]);
        Assert.That(mesh.Routes, Is.Empty);
        var full = path.Length == 0 ? "spec.rules[0]" : $"spec.rules[0].{path}";
        Assert.That(diagnostics.Select(d => (d.Code, d.FieldPath)), Is.EqualTo(new[] { (code, full) }));
    }

    [TestCase("1h30m", 5400_000)]
    [TestCase("500ms", 500)]
    [TestCase("0s", 0)]
    [TestCase("1h1m1s1ms", 3661_001)]
    [TestCase("99999h", 359996400_000L)]
    [TestCase("", null)]
    [TestCase("1", null)]
    [TestCase("-1s", null)]
    [TestCase("1.5s", null)]
    [TestCase("123456s", null)]
    [TestCase("1s1s1s1s1s", null)]
    [TestCase("1d", null)]
    [TestCase("1us", null)]
    public void Durations_are_those_of_gateway_api(string text, long? milliseconds)
    {
        Assert.That(Durations.TryParse(text, out var d) ? (long?)d.TotalMilliseconds : null, Is.EqualTo(milliseconds));
    }

    [Test]
    public void A_service_parent_may_be_in_another_namespace()
    {
        var (mesh, codes, _) = Manifests.Read(Manifests.Route("{parentRefs: [{group: '', kind: Service, name: web, namespace: other}]}"));
        Assert.That((mesh.Routes.Single().Parents.Length, codes.Single()), Is.EqualTo((1, "unknown-parent")));
    }
}

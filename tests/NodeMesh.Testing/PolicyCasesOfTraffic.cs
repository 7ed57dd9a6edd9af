namespace NodeMesh.Testing;

/// <summary>Of ports and requests.</summary>
public static partial class PolicyCases
{
    private const string EndPort = " rule endPort needs a numeric port before it that is not above it";
    private const string Port = " rule a port is a number from 1 to 65535 or a name";
    private const string Protocol = " rule a protocol is TCP, UDP, SCTP, ICMP, ICMPv6 or a number from 1 to 255";
    private const string HavePorts = " rule only TCP, UDP and SCTP have ports";
    private const string HaveTypes = " rule only ICMP and ICMPv6 have types and codes";
    private const string Code = " rule icmpCode needs an icmpType beside it";
    private const string Type = " rule an ICMP type is a number from 0 to 255 or a name";
    private const string TypeName = " rule IANA has no such name of a type of this protocol";
    private const string Nothing = " rule the entry says nothing; give methods, paths, hosts or headers";
    private const string Slash = " rule a path begins with '/', and an expression is not empty";
    private const string HeaderValue = " rule a header has a value, unless its type is Present";
    private const string Expression = " rule an expression has 1 to 1024 characters";

    private static readonly string s_path = "/" + new string('x', 1023);

    private static readonly (string Text, string Wrong)[] s_ports =
    [
        ("{}", ""),
        ("{port: 80}", ""),
        ("{port: http, protocol: UDP}", ""),
        ("{port: 1-a-2}", ""),
        ("{port: 1, endPort: 65535, protocol: 132}", ""),
        ("{protocol: 255}", ""),
        ("{protocol: ICMP, icmpType: 3, icmpCode: 0}", ""),
        ("{protocol: 58, icmpType: PacketTooBig}", ""),
        ("{protocol: 1, icmpType: Echo}", ""),
        ("80", " type"),
        ("{protocol: true}", ".protocol type"),
        ("{protocol: 1.5}", ".protocol type"),
        ("{port: [80]}", ".port type"),
        ("{port: Http}", ".port pattern"),
        ("{port: '80'}", ".port pattern"),
        ("{port: a--b}", ".port pattern"),
        ("{port: abcdefghijklmnop}", ".port maxLength"),
        ("{port: 1, endPort: '2'}", ".endPort type"),
        ("{port: 1, endPort: 65536}", ".endPort maximum"),
        ("{endPort: 80}", EndPort),
        ("{port: http, endPort: 80}", EndPort),
        ("{port: 80, endPort: 79}", EndPort),
        ("{port: 0}", Port),
        ("{port: 65536}", Port),
        ("{protocol: tcp}", Protocol),
        ("{protocol: 0}", Protocol),
        ("{protocol: 256}", Protocol),
        ("{protocol: '6'}", Protocol),
        ("{protocol: ICMP, port: 8}", HavePorts),
        ("{protocol: 47, port: 8}", HavePorts),
        ("{icmpType: 8}", HaveTypes),
        ("{protocol: 47, icmpType: 8}", HaveTypes),
        ("{protocol: ICMP, icmpCode: 0}", Code),
        ("{protocol: ICMP, icmpType: []}", ".icmpType type"),
        ("{protocol: ICMP, icmpType: 256}", Type),
        ("{protocol: ICMP, icmpType: -1}", Type),
        ("{protocol: ICMP, icmpType: Ping}", TypeName),
        ("{protocol: ICMP, icmpType: PacketTooBig}", TypeName),
        ("{protocol: 58, icmpType: Echo}", TypeName),
        ("{protocol: ICMP, icmpType: 3, icmpCode: '4'}", ".icmpCode type"),
        ("{protocol: ICMP, icmpType: 3, icmpCode: -1}", ".icmpCode minimum"),
        ("{protocol: ICMP, icmpType: 3, icmpCode: 256}", ".icmpCode maximum"),
    ];

    private static readonly (string Text, string Wrong)[] s_http =
    [
        ("{methods: [get, M-SEARCH], paths: [{value: /a/}, {type: Exact, value: /}, {type: Regex, value: 'x|y'}], hosts: ['*.Example.com', a], headers: [{name: X-A, value: ''}, {name: b, type: Present}, {name: c, type: Regex, value: 'a|b'}]}", ""),
        ("GET", " type"),
        ("{}", Nothing),
        ("{methods: [], paths: [], hosts: [], headers: []}", Nothing),
        ("{methods: GET}", ".methods type"),
        ($"{{methods: {Many("GET", 33)}}}", ".methods maxItems"),
        ("{methods: [1]}", ".methods[] type"),
        ($"{{methods: [{new string('A', 257)}]}}", ".methods[] maxLength"),
        ("{methods: ['G T']}", ".methods[] pattern"),
        ("{methods: ['']}", ".methods[] pattern"),
        ("{paths: /}", ".paths type"),
        ($"{{paths: {Many("{value: /}", 65)}}}", ".paths maxItems"),
        ("{paths: [/]}", ".paths[] type"),
        ("{paths: [{type: Exact}]}", ".paths[] required value"),
        ("{paths: [{type: 1, value: /}]}", ".paths[].type type"),
        ("{paths: [{type: Glob, value: /}]}", ".paths[].type enum"),
        ("{paths: [{value: 1}]}", ".paths[].value type"),
        ($"{{paths: [{{value: {s_path}}}]}}", ""),
        ($"{{paths: [{{value: {s_path}x}}]}}", ".paths[].value maxLength"),
        ("{paths: [{value: a}]}", ".paths[]" + Slash),
        ("{paths: [{value: ''}]}", ".paths[]" + Slash),
        ("{paths: [{type: Regex, value: ''}]}", ".paths[]" + Slash),
        ("{paths: [{value: /a//b}]}", ByTheAgent),
        ("{paths: [{value: /a/../b}]}", ByTheAgent),
        ("{paths: [{value: /%2f}]}", ByTheAgent),
        ("{paths: [{value: '/a?b'}]}", ByTheAgent),
        ("{paths: [{type: Regex, value: '('}]}", ByTheAgent),
        ("{hosts: a}", ".hosts type"),
        ($"{{hosts: {Many("a", 65)}}}", ".hosts maxItems"),
        ("{hosts: [1]}", ".hosts[] type"),
        ($"{{hosts: [{string.Join('.', Enumerable.Repeat("abcdefghi", 26))}]}}", ".hosts[] maxLength"),
        ("{hosts: ['a:80']}", ".hosts[] pattern"),
        ("{hosts: ['']}", ".hosts[] pattern"),
        ("{hosts: [10.0.0.1]}", ByTheAgent),
        ("{headers: a}", ".headers type"),
        ($"{{headers: {Many("{name: a, value: b}", 33)}}}", ".headers maxItems"),
        ("{headers: [a]}", ".headers[] type"),
        ("{headers: [{value: a}]}", ".headers[] required name"),
        ("{headers: [{name: 1, value: a}]}", ".headers[].name type"),
        ($"{{headers: [{{name: {new string('a', 257)}, value: a}}]}}", ".headers[].name maxLength"),
        ("{headers: [{name: 'a:', value: a}]}", ".headers[].name pattern"),
        ("{headers: [{name: a, type: 1, value: a}]}", ".headers[].type type"),
        ("{headers: [{name: a, type: Prefix, value: a}]}", ".headers[].type enum"),
        ("{headers: [{name: a, value: 1}]}", ".headers[].value type"),
        ($"{{headers: [{{name: a, value: {new string('a', 4096)}}}]}}", ""),
        ($"{{headers: [{{name: a, value: {new string('a', 4097)}}}]}}", ".headers[].value maxLength"),
        ("{headers: [{name: a}]}", ".headers[]" + HeaderValue),
        ("{headers: [{name: a, type: Present, value: b}]}", ".headers[]" + HeaderValue),
        ("{headers: [{name: a, type: Regex, value: ''}]}", ".headers[]" + Expression),
        ($"{{headers: [{{name: a, type: Regex, value: {new string('a', 1025)}}}]}}", ".headers[]" + Expression),
        ("{headers: [{name: a, value: \"b\\nc\"}]}", ByTheAgent),
        ("{headers: [{name: a, type: Regex, value: '(?=a)'}]}", ByTheAgent),
    ];
}

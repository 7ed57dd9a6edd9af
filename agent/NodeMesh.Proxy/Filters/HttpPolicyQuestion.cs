using System.Text;
using NodeMesh.Plan;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Proxy.Filters;

/// <summary>What rules for requests say about one request that nobody made: parsed and judged by the code that serves.</summary>
public static class HttpPolicyQuestion
{
    /// <param name="path">The request target, "/a?b=c".</param>
    /// <param name="headers">"name: value" each.</param>
    /// <returns>Whether it passes, and the deciding rule's policy; null: no rule decided. Text of what is wrong where it is no request.</returns>
    public static (bool Allowed, string? Policy, string? Problem) Judge(HttpPolicyPlan rules, string method, string path, string host, IEnumerable<string> headers)
    {
        var text = Encoding.Latin1.GetBytes($"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{string.Concat(headers.Select(h => h + "\r\n"))}\r\n");
        var head = new RequestHead();
        if (RequestParser.Run(text, 0, text.Length, head) is not ParseStatus.Complete || head.HeadLength != text.Length)
            return (false, null, $"{method} {path} is no request that the proxy would take: 400");
        var judgement = HttpPolicyJudge.For(rules).Judge(head);
        return judgement.Verdict == HttpVerdict.AmbiguousPath
            ? (false, null, $"the path {path} can be read in two ways: 400")
            : (judgement.Verdict == HttpVerdict.Allow, judgement.Policy, null);
    }
}

using System.Text.Json.Nodes;
using Antlr4.Runtime;
using Antlr4.Runtime.Tree;
using Cel.Internal;

namespace NodeMesh.Testing.ApiServer;

/// <summary>
/// What a rule may cost at most by the API server's reckoning, which refuses a definition whose rules may cost too much: a unit for each name, field and operation, texts
/// by their length, lists by how many entries the schema allows. As cel-go's static estimate, or somewhat above it; a construct that is not known here is an error.
/// </summary>
internal sealed class CelCost
{
    /// <summary>Of one rule, times how often its place may stand in an object.</summary>
    public const double MostOfRule = 10_000_000;

    /// <summary>Of all rules of a definition.</summary>
    public const double MostOfDefinition = 100_000_000;

    /// <summary>How large a request may be: as many entries or characters may be where no schema says less.</summary>
    public const double Unbounded = 3 * 1024 * 1024;

    private const double ListBase = 10;
    private const double ByCharacter = 0.1;

    private readonly Dictionary<string, JsonObject> _variables = new(StringComparer.Ordinal);

    /// <param name="Cost">Of reckoning it.</param>
    /// <param name="Size">Characters, entries; 1 for what is no text and no list.</param>
    /// <param name="Schema">Where it is a value of the object.</param>
    private readonly record struct Estimate(double Cost, double Size = 1, JsonObject? Schema = null);

    /// <summary>Each time that the rule is asked.</summary>
    /// <param name="self">The schema at the rule's place.</param>
    /// <exception cref="NotSupportedException">A construct that is not known here.</exception>
    public static double Of(CelParser.StartContext rule, JsonObject self)
    {
        var cost = new CelCost();
        cost._variables["self"] = cost._variables["oldSelf"] = self;
        return cost.Reckon(rule.e).Cost;
    }

    private Estimate Reckon(IParseTree node) => node switch
    {
        CelParser.ExprContext { op: null } e => Reckon(e.e),
        CelParser.ExprContext e => new Estimate(Reckon(e.e).Cost + Math.Max(Reckon(e.e1).Cost, Reckon(e.e2).Cost)),
        CelParser.ConditionalOrContext c => All(c.conditionalAnd()),
        CelParser.ConditionalAndContext c => All(c.relation()),
        CelParser.RelationContext { op: null } r => Reckon(r.calc()),
        CelParser.RelationContext r => Relation(r.op.Text, Reckon(r.relation(0)), Reckon(r.relation(1))),
        CelParser.CalcContext { op: null } c => Reckon(c.unary()),
        CelParser.CalcContext c => new Estimate(1 + Reckon(c.calc(0)).Cost + Reckon(c.calc(1)).Cost),
        CelParser.MemberExprContext m => Reckon(m.member()),
        CelParser.LogicalNotContext n => new Estimate(n.EXCLAM().Length + Reckon(n.member()).Cost),
        CelParser.NegateContext n => new Estimate(n.MINUS().Length + Reckon(n.member()).Cost),
        CelParser.PrimaryExprContext p => Reckon(p.primary()),
        CelParser.NestedContext n => Reckon(n.e),
        CelParser.SelectContext s => Select(Reckon(s.member()), s.id.Text),
        CelParser.ConstantLiteralContext l => new Estimate(0, l.literal() is CelParser.StringContext t ? t.tok.Text.Length - 2 : 1),
        CelParser.CreateListContext l => List(l.elems?.optExpr() ?? []),
        CelParser.IdentOrGlobalCallContext { op: null } i => new Estimate(1, _variables.TryGetValue(i.id.Text, out var schema) ? SizeOf(schema) : 0, schema),
        CelParser.IdentOrGlobalCallContext c => Call(c.id.Text, Arguments(c.args)),
        CelParser.MemberCallContext { id.Text: "all" or "exists" } m => Each(Reckon(m.member()), Arguments(m.args)),
        CelParser.MemberCallContext { id.Text: "startsWith" or "endsWith" } m => Traversal(Reckon(m.member()), Reckon(Arguments(m.args)[0])),
        _ => throw new NotSupportedException($"what does '{node.GetText()}' cost?"),
    };

    private static CelParser.ExprContext[] Arguments(CelParser.ExprListContext? arguments) => arguments?.expr() ?? [];

    private Estimate All(ParserRuleContext[] parts) => parts.Length == 1 ? Reckon(parts[0]) : new Estimate(parts.Sum(p => Reckon(p).Cost));

    private static Estimate Relation(string op, Estimate left, Estimate right) => new(left.Cost + right.Cost + op switch
    {
        "==" or "!=" => Math.Ceiling(Math.Min(left.Size, right.Size) * ByCharacter),
        "in" => right.Size,
        _ => 1,
    });

    private static Estimate Select(Estimate of, string field)
    {
        var schema = of.Schema?["properties"]?[field] as JsonObject ?? throw new NotSupportedException($"no schema has '{field}'");
        return new Estimate(of.Cost + 1, SizeOf(schema), schema);
    }

    private Estimate List(CelParser.OptExprContext[] entries) => new(ListBase + entries.Sum(e => Reckon(e.e).Cost), entries.Length);

    private Estimate Call(string function, CelParser.ExprContext[] arguments) => function switch
    {
        // To ask whether a field is there costs one, and nothing for the field.
        "has" => new Estimate(Reckon(arguments[0]).Cost),
        "size" => new Estimate(1 + Reckon(arguments[0]).Cost),
        "type" => new Estimate(1 + Reckon(arguments[0]).Cost, 0),
        _ => throw new NotSupportedException($"what does {function}() cost?"),
    };

    private static Estimate Traversal(Estimate text, Estimate part) => new(text.Cost + part.Cost + Math.Ceiling(part.Size * ByCharacter));

    /// <summary>For each entry: the step, and whether to go on, and what was before.</summary>
    private Estimate Each(Estimate list, CelParser.ExprContext[] arguments)
    {
        _variables[arguments[0].GetText()] = list.Schema?["items"] as JsonObject ?? throw new NotSupportedException("of what list?");
        return new Estimate(list.Cost + 1 + (list.Size * (Reckon(arguments[1]).Cost + 3)));
    }

    private static double SizeOf(JsonObject schema) => (string?)schema["type"] switch
    {
        "array" => (double?)schema["maxItems"] ?? Unbounded,
        "object" => (double?)schema["maxProperties"] ?? Unbounded,

        // A character may have four bytes.
        "string" => 4 * (double?)schema["maxLength"] ?? (schema["enum"] as JsonArray)?.Max(c => ((string)c!).Length) ?? Unbounded,
        null => Unbounded,
        _ => 1,
    };
}

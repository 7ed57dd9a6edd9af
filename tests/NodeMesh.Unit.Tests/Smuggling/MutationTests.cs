using System.Text;
using NodeMesh.Proxy.Engine;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Unit.Tests.Smuggling;

/// <summary>Good requests with random damage: the parser never throws, and whatever is forwarded reads as the same single request again.</summary>
public sealed class MutationTests
{
    private static readonly string[] Seeds =
    [
        "GET /a?b=c HTTP/1.1\r\nHost: a.example:80\r\nX: y\r\n\r\n",
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nContent-Type: text/plain\r\n\r\nhello world",
        "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: v\r\n\r\n",
        "GET http://a/x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    ];

    private static readonly string[] Pieces =
    [
        "\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", ";", "chunked", "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n", "Host: b\r\n", "0\r\n\r\n", "HTTP/1.1",
        "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "ffffffffffffffff", "+", "-", "0x", "%", "#", "\\", "\xff", "\v",
    ];

    [TestCase(1, 150_000)]
    [TestCase(2, 150_000)]
    public void A_parsed_head_is_written_on_as_the_same_single_request(int seed, int rounds)
    {
        var random = new Random(seed);
        var head = new RequestHead();
        var again = new RequestHead();
        var edits = new HeaderEdits();
        for (var round = 0; round < rounds; round++)
        {
            var text = Mutate(random);
            var bytes = Encoding.Latin1.GetBytes(text);
            if (RequestParser.Run(bytes, 0, bytes.Length, head) != ParseStatus.Complete)
                continue;
            if (head.Authority.IsEmpty)
                continue; // HTTP/1.0 without Host goes on with an empty one (RFC 9112 section 3.2), which we do not take ourselves
            edits.Reset();
            ConnectionTokens.DropHopByHop(head, edits);
            var output = new IoBuffer(HeadWriter.Bound(head.HeadLength, edits));
            HeadWriter.Request(output, head, edits, upgrade: false);

            var written = output.Unread.ToArray();
            var shown = Encoding.Latin1.GetString(written);
            Assert.That(RequestParser.Run(written, 0, written.Length, again), Is.EqualTo(ParseStatus.Complete), shown);
            Assert.That(again.HeadLength, Is.EqualTo(written.Length), shown);
            Assert.That(again.Method.SequenceEqual(head.Method) && again.Target.SequenceEqual(head.Target) && again.Authority.SequenceEqual(head.Authority), shown);
            Assert.That((again.Framing, again.ContentLength), Is.EqualTo((head.Framing, head.ContentLength)), shown);
            if (head.ContentLength > 1000)
                continue;
            var body = head.Framing == BodyFraming.Chunked ? "0\r\n\r\n" : new string('.', (int)head.ContentLength);
            Assert.That(WireRequest.ReadAll(shown + body).Requests, Has.Count.EqualTo(1), shown);
        }
    }

    [TestCase(3, 50_000)]
    public void Bytes_read_in_pieces_come_to_the_same_as_read_at_once(int seed, int rounds)
    {
        var random = new Random(seed);
        for (var round = 0; round < rounds; round++)
        {
            var bytes = Encoding.Latin1.GetBytes(Mutate(random));
            var head = new RequestHead();
            var whole = RequestParser.Run(bytes, 0, bytes.Length, head);
            var headLength = head.HeadLength;

            // A prefix is never judged otherwise than the whole, only undecided.
            for (var length = 1; length < bytes.Length; length += 1 + random.Next(7))
            {
                var part = RequestParser.Run(bytes, 0, length, head);
                if (part != ParseStatus.NeedMore)
                    Assert.That(part == whole || (whole != ParseStatus.Complete && part != ParseStatus.Complete), Encoding.Latin1.GetString(bytes, 0, length));
            }

            if (whole != ParseStatus.Complete)
                continue;
            var body = bytes[headLength..];
            BodyFlow atOnce = default, inPieces = default;
            RequestParser.Run(bytes, 0, bytes.Length, head);
            atOnce.Start(head.Framing, head.ContentLength);
            inPieces.Start(head.Framing, head.ContentLength);
            atOnce.Clear(body);
            for (var length = 0; length <= body.Length; length++)
                inPieces.Clear(body.AsSpan(0, length));
            Assert.That((inPieces.Cleared, inPieces.IsBad, inPieces.IsAllCleared), Is.EqualTo((atOnce.Cleared, atOnce.IsBad, atOnce.IsAllCleared)), Encoding.Latin1.GetString(bytes));
        }
    }

    [TestCase(4, 300)]
    public void Nothing_but_whole_requests_reaches_the_backend(int seed, int rounds)
    {
        var random = new Random(seed);
        using var upstream = new RecordingUpstream();
        for (var round = 0; round < rounds; round++)
        {
            var request = Mutate(random);
            upstream.Exchange(request, patience: 30);
            Check($"last sent:\n{request}");
        }

        upstream.End();
        Check("at the end");

        void Check(string when)
        {
            foreach (var connection in upstream.Whole())
                Assert.DoesNotThrow(() => WireRequest.ReadAll(connection), $"{when}\nforwarded:\n{connection}");
        }
    }

    private static string Mutate(Random random)
    {
        var text = new StringBuilder(Seeds[random.Next(Seeds.Length)]);
        for (var i = random.Next(1, 4); i > 0; i--)
        {
            var at = random.Next(text.Length);
            switch (random.Next(5))
            {
                case 0:
                    text[at] = (char)random.Next(256);
                    break;
                case 1:
                    text.Remove(at, Math.Min(random.Next(1, 6), text.Length - at));
                    break;
                case 2:
                    text.Insert(at, Pieces[random.Next(Pieces.Length)]);
                    break;
                case 3:
                    text.Insert(at, text.ToString(at, Math.Min(random.Next(1, 24), text.Length - at)));
                    break;
                default:
                    text.Length = Math.Max(1, at);
                    break;
            }

            if (text.Length == 0)
                text.Append('G');
        }

        return text.ToString();
    }
}

using System.Text;
using NodeMesh.Proxy.Routing;

namespace NodeMesh.Unit.Tests.Routing;

public sealed class PathNormalizerTests
{
    [TestCase("/", "/")]
    [TestCase("*", "*")]
    [TestCase("/a/b", "/a/b")]
    [TestCase("/a/b/", "/a/b/")]
    [TestCase("/a/./b", "/a/b")]
    [TestCase("/a/../b", "/b")]
    [TestCase("/a/..", "/")]
    [TestCase("/a/b/..", "/a/")]
    [TestCase("/a/.", "/a/")]
    [TestCase("/..", "/")]
    [TestCase("/../../x", "/x")]
    [TestCase("/%2e%2E/x", "/x")]
    [TestCase("/a/%2e./b", "/b")]
    [TestCase("//a///b", "/a/b")]
    [TestCase("/a//", "/a/")]
    [TestCase("//", "/")]
    [TestCase("/%61dmin", "/admin")]
    [TestCase("/a%24b", "/a$b")]
    [TestCase("/%2561", "/%61", Description = "decoded once")]
    [TestCase("/...", "/...")]
    [TestCase("/a..b/.c", "/a..b/.c")]
    public void A_path_has_one_normal_form(string path, string expected)
    {
        var into = new byte[path.Length];
        Assert.That(PathNormalizer.Run(Encoding.ASCII.GetBytes(path), into, out var length), Is.EqualTo(PathVerdict.Normal));
        Assert.That(Encoding.ASCII.GetString(into, 0, length), Is.EqualTo(expected));
    }

    [TestCase("/a%2Fb")]
    [TestCase("/a%2fb")]
    [TestCase("/a%5cb")]
    [TestCase("/a\\b")]
    [TestCase("/a%00")]
    [TestCase("/a%0a")]
    [TestCase("/a%7F")]
    [TestCase("/a%")]
    [TestCase("/a%2")]
    [TestCase("/a%zz")]
    [TestCase("/a/..;/b")]
    [TestCase("/a/%2e%2e;x/b")]
    [TestCase("/a/.;/b")]
    [TestCase("/a//../b")]
    [TestCase("")]
    [TestCase("a/b")]
    public void What_can_be_read_in_two_ways_is_ambiguous(string path) =>
        Assert.That(PathNormalizer.Run(Encoding.ASCII.GetBytes(path), new byte[path.Length], out _), Is.EqualTo(PathVerdict.Ambiguous));

    [Test]
    public void Normal_forms_without_escapes_are_their_own_normal_form()
    {
        var random = new Random(4711);
        string[] pieces = ["/", "/", "a", "b", ".", "..", "%2e", "%61", ";", "//"];
        for (var round = 0; round < 20_000; round++)
        {
            var path = "/" + string.Concat(Enumerable.Range(0, random.Next(8)).Select(_ => pieces[random.Next(pieces.Length)]));
            var once = new byte[path.Length];
            if (PathNormalizer.Run(Encoding.ASCII.GetBytes(path), once, out var length) == PathVerdict.Ambiguous)
                continue;
            var twice = new byte[length];
            Assert.That(PathNormalizer.Run(once.AsSpan(0, length), twice, out var again), Is.EqualTo(PathVerdict.Normal), path);
            Assert.That(twice[..again], Is.EqualTo(once[..length]), path);
            Assert.That(Encoding.ASCII.GetString(once, 0, length).Split('/'), Has.None.EqualTo("..").And.None.EqualTo("."), path);
        }
    }
}

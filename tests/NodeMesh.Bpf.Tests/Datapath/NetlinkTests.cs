using NodeMesh.Native.Namespaces;
using NodeMesh.Native.Netlink;

namespace NodeMesh.Bpf.Tests.Datapath;

public sealed class NetlinkTests
{
    [Test]
    public void Host_side_of_a_pod_is_found_from_its_namespace_alone()
    {
        using var box = new Box();
        var a = box.AddPod("a", "10.244.0.2");
        var b = box.AddPod("b", "10.244.0.3");

        box.InHost(() =>
        {
            using var socket = new NetlinkSocket();
            var host = RtLinks.Dump(socket);
            using var netnsA = NetNamespace.Open(a);
            using var netnsB = NetNamespace.Open(b);
            Assert.That(HostSides(netnsA), Is.EqualTo(new[] { "va" }));
            Assert.That(HostSides(netnsB), Is.EqualTo(new[] { "vb" }));

            IEnumerable<string> HostSides(NetNamespace netns)
            {
                var id = RtLinks.NetnsId(socket, netns.Handle);
                return RtLinks.HostSides(host, RtLinks.Dump(socket, id), id).Select(l => l.Name);
            }
        });
    }

    [Test]
    public void Interfaces_and_addresses_are_read_as_ip_shows_them()
    {
        using var box = new Box();
        Box.Sh($"ip -n {box.Host} link add d0 mtu 1400 type veth peer name d1 && ip -n {box.Host} addr add 192.0.2.7/24 dev d0 && ip -n {box.Host} addr add 2001:db8::7/64 dev d0 && ip -n {box.Host} link set d0 up");

        box.InHost(() =>
        {
            using var socket = new NetlinkSocket();
            var link = RtLinks.Dump(socket).Single(l => l.Name == "d0");
            Assert.That((link.Kind, link.Mtu, link.IsUp, link.IsLoopback), Is.EqualTo(("veth", 1400, true, false)));
            var addresses = RtAddresses.Dump(socket).Where(a => a.Ifindex == link.Ifindex && a.Scope == 0).Select(a => $"{a.Address}/{a.PrefixLength}");
            Assert.That(addresses, Is.EquivalentTo(new[] { "192.0.2.7/24", "2001:db8::7/64" }));
        });
    }

    [TestCase(IpFamily.V4, "")]
    [TestCase(IpFamily.V6, "-6")]
    public void Rules_and_local_routes_are_added_once_and_removed(IpFamily family, string flag)
    {
        using var box = new Box();
        box.InHost(() =>
        {
            using var socket = new NetlinkSocket();
            var guard = new IpRule(family, 8, "lo", 0x1000000, 0x3000000, RtRules.MainTable, 173);
            var rule = new IpRule(family, 9, "", 0x1000000, 0x3000000, 15001, 173);
            var route = new LocalDefaultRoute(family, 15001, 173);
            for (var i = 0; i < 2; i++)
            {
                RtRules.Add(socket, guard);
                RtRules.Add(socket, rule);
                RtRules.Add(socket, route);
            }

            Assert.That(RtRules.DumpRules(socket, family).Where(r => r.Protocol == 173), Is.EqualTo(new[] { guard, rule }));
            Assert.That(RtRules.DumpLocalDefaults(socket, family), Is.EqualTo(new[] { route }));
            Assert.That(Box.Sh($"ip -n {box.Host} {flag} rule"), Does.Contain("fwmark 0x1000000/0x3000000 iif lo lookup main").And.Contain("fwmark 0x1000000/0x3000000 lookup 15001"));
            Assert.That(Box.Sh($"ip -n {box.Host} {flag} route show table 15001"), Does.Contain("local default dev lo"));

            for (var i = 0; i < 2; i++)
            {
                RtRules.Remove(socket, guard);
                RtRules.Remove(socket, rule);
                RtRules.Remove(socket, route);
            }

            Assert.That(RtRules.DumpRules(socket, family).Where(r => r.Protocol == 173), Is.Empty);
            Assert.That(RtRules.DumpLocalDefaults(socket, family), Is.Empty);
        });
    }

    [Test]
    public void Watch_tells_which_interface_came_and_that_addresses_changed()
    {
        using var box = new Box();
        using var watch = box.InHost(() => new LinkWatch());
        Assert.That(watch.Drain().Any, Is.False);

        Box.Sh($"ip -n {box.Host} link add d0 type veth peer name d1 && ip -n {box.Host} addr add 192.0.2.7/24 dev d0");

        Assert.That(watch.Wait(TimeSpan.FromSeconds(60)));
        var changes = watch.Drain();
        var ifindex = box.InHost(() =>
        {
            using var socket = new NetlinkSocket();
            return RtLinks.Dump(socket).Single(l => l.Name == "d0").Ifindex;
        });
        Assert.That(changes.Links, Does.Contain(ifindex));
        Assert.That(changes.AddressesChanged);
    }

    [Test]
    public void Watch_says_when_the_kernel_had_to_drop_notices_and_goes_on()
    {
        using var box = new Box();
        using var watch = box.InHost(() => new LinkWatch());
        Box.Sh($"ip -n {box.Host} link add d0 type veth peer name d1");
        Box.Sh($"for i in $(seq 600); do echo link set d0 mtu $((1000 + i)); done | ip -n {box.Host} -batch -");

        Assert.That(watch.Wait(TimeSpan.FromSeconds(60)));
        Assert.That(watch.Drain().Lost, "more notices than the socket holds");
        Assert.That(watch.Drain().Any, Is.False);

        Box.Sh($"ip -n {box.Host} link set d0 up");
        Assert.That(watch.Wait(TimeSpan.FromSeconds(60)), "the next notice comes as before");
        var changes = watch.Drain();
        Assert.That((changes.Links.Count > 0, changes.Lost), Is.EqualTo((true, false)));
    }

    [Test]
    public void Namespaces_have_different_cookies_and_the_caller_stays_where_it_was()
    {
        using var box = new Box();
        var before = File.ReadAllText("/proc/thread-self/net/dev");
        using var host = NetNamespace.Open(box.Host);
        using var pod = NetNamespace.Open(box.AddPod("a", "10.244.0.2"));
        Assert.That(host.Cookie(), Is.Not.EqualTo(pod.Cookie()));
        Assert.That(File.ReadAllText("/proc/thread-self/net/dev").Split('\n').Length, Is.EqualTo(before.Split('\n').Length));
    }
}

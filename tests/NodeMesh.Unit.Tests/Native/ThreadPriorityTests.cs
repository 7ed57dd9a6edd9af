namespace NodeMesh.Unit.Tests.Native;

public class ThreadPriorityTests
{
    [Test]
    public void A_thread_that_gives_way_does_so_alone()
    {
        var (lowered, before) = (0, Nice());
        var thread = new Thread(() =>
        {
            NodeMesh.Native.ThreadPriority.Lower(5);
            lowered = Nice();
        });
        thread.Start();
        thread.Join();
        Assert.That(lowered, Is.EqualTo(Math.Min(before + 5, 19)));
        Assert.That(Nice(), Is.EqualTo(before));
    }

    // "pid (name) state ppid …": nice is the 19th field, and the name may hold anything.
    private static int Nice() => int.Parse(File.ReadAllText("/proc/thread-self/stat").Split(')')[^1].Split(' ')[17], System.Globalization.CultureInfo.InvariantCulture);
}

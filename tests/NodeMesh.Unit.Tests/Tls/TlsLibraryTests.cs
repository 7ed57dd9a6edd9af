using NodeMesh.Native.Tls;

namespace NodeMesh.Unit.Tests.Tls;

public sealed class TlsLibraryTests
{
    [Test]
    public void A_library_that_is_not_there_is_one_sentence_with_its_name_and_the_cure() =>
        Assert.That(TlsLibrary.MissingOf("libcrypto.so.3", "libssl.so.0"),
            Is.EqualTo("NodeMesh needs OpenSSL 3, but libssl.so.0 cannot be loaded. Cure: apt-get install libssl3"));

    [Test]
    public void Both_are_found_on_a_machine_that_was_set_up() => Assert.That(TlsLibrary.Missing, Is.Null);
}

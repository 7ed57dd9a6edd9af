using System.Runtime.CompilerServices;

// Every native call is blittable: what is declared is what is passed, and nothing is copied or converted in between.
[assembly: DisableRuntimeMarshalling]

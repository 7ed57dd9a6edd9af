using System.Runtime.Versioning;

// As the agent that is tested here.
[assembly: SupportedOSPlatform("linux")]

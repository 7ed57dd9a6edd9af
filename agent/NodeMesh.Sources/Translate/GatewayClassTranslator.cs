using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

internal static class GatewayClassTranslator
{
    public const string ControllerName = "nodemesh.io/gateway-controller";

    public static ClassDraft Translate(ApiObject obj, Fields root)
    {
        Metadata.Read(root, obj);
        root.Ignore("status");
        using var spec = root.Require("spec")?.Map();
        spec?.Ignore("description");
        var controller = spec?.Require("controllerName")?.Text();
        if (controller == ControllerName)
            spec?.Refuse("parametersRef");
        else
            spec?.Ignore("parametersRef");
        return new ClassDraft(obj.Name.Name, controller == ControllerName);
    }
}

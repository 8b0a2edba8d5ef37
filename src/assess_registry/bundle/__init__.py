"""Air gap: plugins of a registry, their closures and its signed word in one file, and into a site without a network.

    export_bundle(["acme-demo"], registry=config, to=Path("acme.assess"))       in the world
    import_bundle(Path("acme.assess"), site=Path("site"), root=Path("1.root.json"))    behind the gap

Both ends run the same verification (`gather`): the one who exports cannot make a bundle that would be refused, and the
one who imports believes nothing of it but what the registry's keys have signed.
"""

from assess_registry.bundle.archive import Bundle, open_bundle
from assess_registry.bundle.export import Exported, export_bundle
from assess_registry.bundle.take_in import Imported, import_bundle
from assess_registry.repository.site import SiteKeys

__all__ = ["Bundle", "Exported", "Imported", "SiteKeys", "export_bundle", "import_bundle", "open_bundle"]

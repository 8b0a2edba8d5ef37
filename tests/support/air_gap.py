"""A registry, a bundle that is carried, and a site without a network."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from assess_registry.bundle import Exported, Imported, SiteKeys, export_bundle, import_bundle
from assess_registry.client import VerifiedWheel
from assess_registry.keys import PrivateKey
from tests.support.approved_place import ApprovedPlace
from tests.support.registry_tree import RegistryTree


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A registry on one side, a site on the other, and what each side remembers."""

    tree: RegistryTree
    directory: Path

    @property
    def bundle(self) -> Path:
        return self.directory / "carried.assess"

    @property
    def site(self) -> Path:
        return self.directory / "site"

    def export(self, *requirements: str, to: Path | None = None, **changes: object) -> Exported:
        config = self.tree.approved_config(self.directory / "memory", **changes)  # type: ignore[arg-type]
        return export_bundle(requirements or ("demo-plugin",), registry=config, to=to or self.bundle)

    def take_in(
        self,
        keys: SiteKeys | None = None,
        *,
        path: Path | None = None,
        root: Path | None = None,
        now: datetime | None = None,
    ) -> Imported:
        return import_bundle(
            path or self.bundle,
            site=self.site,
            root=root or self.tree.root_metadata,
            now=now or datetime.now(UTC),
            keys=keys,
            development=True,
        )

    def install(self, requirement: str = "demo-plugin", *, root: Path | None = None) -> VerifiedWheel:
        """As a runtime at the site does, which has nothing else."""
        place = ApprovedPlace(tree=self.tree, state=self.directory / "runtime", url=self.site.as_uri())
        return place.chain(requirement, root=root or self.tree.root_metadata)

    def served(self) -> dict[str, bytes]:
        """Every file that a web server at the site would serve, with what killed imports left among them."""
        files = {path.relative_to(self.site).as_posix(): path for path in self.site.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in sorted(files.items()) if not name.startswith(".")}


@dataclass(frozen=True)
class SiteHolders:
    root: PrivateKey
    online: PrivateKey

    @property
    def first(self) -> SiteKeys:
        return SiteKeys(online=self.online, root=[self.root])

    @property
    def daily(self) -> SiteKeys:
        return SiteKeys(online=self.online)

    @property
    def overruling(self) -> SiteKeys:
        return replace(self.daily, overrule_clock=True)

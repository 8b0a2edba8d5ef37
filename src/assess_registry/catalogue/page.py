"""The page of a project: all of its releases, in the order of versions, with exactly one spelling."""

from dataclasses import dataclass, replace

from packaging.version import Version

from assess_registry.canonical import Members, decode, encode
from assess_registry.catalogue.project_status import ProjectStatus, read_status, status_table
from assess_registry.catalogue.release import Release
from assess_registry.catalogue.tables import read_release, release_table
from assess_registry.catalogue.wheel_names import check_belongs
from assess_registry.errors import TrustError
from assess_registry.names import ProjectName, parse_project

SCHEMA = 1
CATALOG_DIRECTORY = "catalog"

MAX_CATALOGUE_BYTES = 4 << 20
"""A release of one wheel is about 1.7 kB: room for 2,400 of a project."""

MAX_RELEASES = 5000


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """All releases of a project, oldest version first.

    Attributes:
        status: None while the project is active.

    Raises:
        ValueError: two releases of one version however spelt, or a wheel of another project or version.
    """

    project: ProjectName
    releases: tuple[Release, ...] = ()
    status: ProjectStatus | None = None

    def __post_init__(self) -> None:
        parse_project(self.project)
        if len(self.releases) > MAX_RELEASES:
            raise ValueError(f"releases: expected at most {MAX_RELEASES}, got {len(self.releases)}")
        versions: dict[Version, str] = {}
        for release in self.releases:
            version = Version(release.version)
            if version in versions:
                raise ValueError(f"releases: {release.version} and {versions[version]} are one version (PEP 440)")
            versions[version] = release.version
            for wheel in release.wheels:
                check_belongs(wheel.filename, self.project, release.version)
        object.__setattr__(self, "releases", tuple(sorted(self.releases, key=lambda each: Version(each.version))))

    def release(self, version: str) -> Release | None:
        """The release of this version, however the version is spelt; None if there is none."""
        wanted = Version(version)
        return next((each for each in self.releases if Version(each.version) == wanted), None)

    def with_release(self, release: Release) -> "Catalogue":
        """The page with this release, in place of one of the same version if there was one."""
        others = tuple(each for each in self.releases if Version(each.version) != Version(release.version))
        return replace(self, releases=(*others, release))

    def data(self) -> bytes:
        """The page; the same for the same value.

        Raises:
            ValueError: it is larger than any client reads.
        """
        releases = [release_table(release) for release in self.releases]
        page = {"schema": SCHEMA, "project": self.project, "releases": releases}
        if self.status is not None:
            page["status"] = status_table(self.status)
        return encode(page, max_bytes=MAX_CATALOGUE_BYTES)


def catalogue_path(project: ProjectName) -> str:
    """The TUF target path of a project's page."""
    return f"{CATALOG_DIRECTORY}/{project}.json"


def parse_catalogue(data: bytes, project: ProjectName) -> Catalogue:
    """The page in these bytes, which must be this project's and as `Catalogue.data` writes it.

    Raises:
        TrustError: step `catalogue`; it is anything else.
    """
    try:
        return _parse(data, project)
    except ValueError as error:
        raise TrustError(
            f"not a catalogue page: {error}",
            step="catalogue",
            thing=catalogue_path(project),
            next_step="update this program; if it is new enough, ask who runs the registry: the page was signed so",
        ) from error


def _parse(data: bytes, project: ProjectName) -> Catalogue:
    value = decode(data, max_bytes=MAX_CATALOGUE_BYTES)
    page = Members.of(value, "catalogue", required=("schema", "project", "releases"), optional=("status",))
    page.exactly("schema", SCHEMA)
    page.exactly("project", str(project))
    releases = tuple(read_release(*item) for item in page.items("releases", max_items=MAX_RELEASES))
    status = read_status(page) if "status" in page.values else None
    catalogue = Catalogue(project=project, releases=releases, status=status)
    if catalogue.data() != data:
        raise ValueError("releases or wheels are not in their order")
    return catalogue

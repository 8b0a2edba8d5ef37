"""A catalogue page: all releases of one project, as the registry signs them (TUF target `catalog/PROJECT.json`).

A page names every file of a release by name, size and digest, so that whoever controls the web server controls nothing.
A value has one page and a page one value: `parse_catalogue(page.data(), project) == page`.
"""

from assess_registry.catalogue.file_ref import MAX_FILE_BYTES, FileRef
from assess_registry.catalogue.page import (
    CATALOG_DIRECTORY,
    MAX_CATALOGUE_BYTES,
    MAX_RELEASES,
    Catalogue,
    catalogue_path,
    parse_catalogue,
)
from assess_registry.catalogue.project_status import MARKERS, Marker, ProjectStatus
from assess_registry.catalogue.release import (
    ATTESTATION_NAME,
    AUDIT_NAME,
    MAX_WHEELS,
    METADATA_SUFFIX,
    SBOM_NAME,
    VERDICT_SUFFIX,
    CatalogueWheel,
    Release,
    Revoked,
    Yanked,
)
from assess_registry.catalogue.revocation_severity import (
    KILL,
    REVOCATION_SEVERITIES,
    RevocationSeverity,
    outranks,
    parse_revocation_severity,
)
from assess_registry.catalogue.wheel_names import check_belongs

__all__ = [
    "ATTESTATION_NAME",
    "AUDIT_NAME",
    "CATALOG_DIRECTORY",
    "KILL",
    "MARKERS",
    "MAX_CATALOGUE_BYTES",
    "MAX_FILE_BYTES",
    "MAX_RELEASES",
    "MAX_WHEELS",
    "METADATA_SUFFIX",
    "REVOCATION_SEVERITIES",
    "SBOM_NAME",
    "VERDICT_SUFFIX",
    "Catalogue",
    "CatalogueWheel",
    "FileRef",
    "Marker",
    "ProjectStatus",
    "Release",
    "RevocationSeverity",
    "Revoked",
    "Yanked",
    "catalogue_path",
    "check_belongs",
    "outranks",
    "parse_catalogue",
    "parse_revocation_severity",
]

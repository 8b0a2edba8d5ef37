"""The names of the `tuf` library used here, most of which mypy says are not exported."""

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import (  # type: ignore[attr-defined]  # documented, but in no list of exports
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError
from tuf.ngclient import (  # type: ignore[attr-defined]  # documented, but in no list of exports
    FetcherInterface,
    Updater,
    UpdaterConfig,
)

__all__ = [
    "BadVersionNumberError",
    "Delegations",
    "DeserializationError",
    "DownloadError",
    "DownloadHTTPError",
    "ExpiredMetadataError",
    "FetcherInterface",
    "Key",
    "LengthOrHashMismatchError",
    "MetaFile",
    "Metadata",
    "RepositoryError",
    "Root",
    "Snapshot",
    "TargetFile",
    "Targets",
    "Timestamp",
    "UnsignedMetadataError",
    "Updater",
    "UpdaterConfig",
]

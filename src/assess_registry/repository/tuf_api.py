"""The names of `tuf.api` and securesystemslib used here, most of which mypy says are not exported."""

from securesystemslib.signer import (  # type: ignore[attr-defined]  # documented, but in no list of exports
    Key,
    SecretsHandler,
    Signature,
    Signer,
    SSlibKey,
)
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (  # type: ignore[attr-defined]  # documented, but in no list of exports
    Delegations,
    LengthOrHashMismatchError,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    SuccinctRoles,
    T,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

__all__ = [
    "Delegations",
    "DeserializationError",
    "JSONSerializer",
    "Key",
    "LengthOrHashMismatchError",
    "MetaFile",
    "Metadata",
    "RepositoryError",
    "Role",
    "Root",
    "SSlibKey",
    "SecretsHandler",
    "Signature",
    "Signer",
    "Snapshot",
    "SuccinctRoles",
    "T",
    "TargetFile",
    "Targets",
    "Timestamp",
]

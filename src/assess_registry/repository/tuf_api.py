"""The names of `tuf.api` and securesystemslib used here, most of which mypy says are not exported."""

from securesystemslib.signer import (  # type: ignore[attr-defined]  # as below
    Key,
    SecretsHandler,
    Signature,
    Signer,
    SSlibKey,
)
from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import (  # type: ignore[attr-defined]  # imported there, and documented, but not in an `__all__ = [
    "Delegations",
    "DeserializationError",
    "DownloadError",
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

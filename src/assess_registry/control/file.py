"""What all control files have in common: schema, bound, and how one that cannot be read is refused."""

from assess_registry.errors import TrustError

SCHEMA = 1

MAX_CONTROL_BYTES = 4 << 20
"""Of any one control file: about 15,000 keys or revoked wheels."""


def unreadable(path: str, error: ValueError) -> TrustError:
    """The refusal of the file at this target path."""
    return TrustError(
        f"not a control file: {error}",
        step="control",
        thing=path,
        next_step="update this program; if it is new enough, ask who runs the registry: the file was signed so",
    )

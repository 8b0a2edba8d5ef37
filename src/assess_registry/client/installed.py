"""Whether what was installed once may run on, by what is known of the registry now; no byte of it is read.

    check_installed(InstalledWheel(...), registry=registry)

That takes two signatures and no network: what may have changed since is not the wheel but what is said of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from assess_registry.client.registry import Registry
from assess_registry.client.standing import check_not_among_revoked, check_verdict, find_listed, read_standing
from assess_registry.errors import NotPublishedError, TrustError
from assess_registry.manifest import Manifest
from assess_registry.names import ProjectName, Sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledWheel:
    """What is remembered of a plugin that was verified and installed.

    Attributes:
        lock_sha256: of the signed lock it was installed by.
        closure: filename -> sha256 of each wheel it runs with.
        verdict: content of its `.verdict.json`.
    """

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    manifest: Manifest
    lock_sha256: Sha256
    closure: Mapping[str, Sha256] = field(repr=False)
    verdict: bytes = field(repr=False)


def check_installed(wheel: InstalledWheel, *, registry: Registry) -> None:
    """The registry still vouches for it: on its page with this digest, not revoked, approved by whom that is for.

    Raises:
        TransportError: the registry's word has to be completed and it cannot be reached.
        TrustError: steps `catalogue`, `hash`, `revoked`, `publisher`, `envelope`, `verdict`, `approval`, `development`,
            and those of `TrustState.remembered`.
    """
    try:
        standing = read_standing(wheel.project, registry.known_word(), registry.deadline(), registry=registry)
    except NotPublishedError as error:
        raise TrustError(
            "the registry does not vouch for it any more",
            step="catalogue",
            thing=wheel.filename,
            expected=f"a signed page of {wheel.project}",
            got="none",
            next_step="ask the registry's maintainer why it was removed",
        ) from error
    listed = find_listed(standing, version=wheel.version, filename=wheel.filename)
    for what, expected, got in (
        ("wheel", listed.wheel.sha256, wheel.sha256),
        ("lock", listed.release.lock.sha256, wheel.lock_sha256),
    ):
        if expected != got:
            raise TrustError(
                f"the {what} it was installed from is not the one that the signed page names",
                step="hash",
                thing=wheel.filename,
                expected=f"sha256 {expected}",
                got=f"sha256 {got}",
                next_step="install it again",
            )
    check_verdict(wheel.verdict, listed, wheel, wheel.lock_sha256)
    for filename, sha256 in wheel.closure.items():
        check_not_among_revoked(standing, filename, sha256)

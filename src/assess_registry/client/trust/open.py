"""How the trust state of a registry is opened without importing TUF before it is needed."""

import importlib
from pathlib import Path

from assess_registry.client.trust.port import ReadFile, TrustState


def open_word(*, state: Path, root: bytes, read: ReadFile, max_staleness_s: float) -> TrustState:
    """The trust state in directory `state`, anchored in the root metadata `root`; nothing is contacted yet.

    Raises:
        TrustError: step `root`; the anchor is not acceptable.
        OSError: the directory cannot be made.
    """
    # By name at first use: importing tuf costs about 80 ms, which registries trusted by keys alone, and every command
    # that asks no registry, must not pay.
    module = importlib.import_module("assess_registry.client.trust.word")
    word: TrustState = module.SignedWord(state=state, root=root, read=read, max_staleness_s=max_staleness_s)
    return word


def check_root(data: bytes, thing: str) -> None:
    """The document can be what a registry is trusted by; as `open_word`, tuf is imported only now.

    Raises:
        TrustError: step `root`; it cannot.
    """
    importlib.import_module("assess_registry.client.trust.rules").check_anchor(data, thing)

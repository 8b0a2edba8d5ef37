"""What the audit's programs said of a file is what they say of the same file again: within a test run it is remembered.

An audit starts two programs for each wheel and each dependency, a second of processor time, and dozens of tests audit
the same few wheels to see something else: a policy, a report, an advisory. What the programs themselves do, and what a
wheel can do to them, is in test_audit_tools, where each is started. Likewise pip, which is asked whether it agrees with
a lock: it is shown one folder, and says of the same folder the same.
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assess_registry.audit.checks import bandit, secrets
from assess_registry.audit.context import Context
from assess_registry.audit.values import Examination, Subject
from assess_registry.locking import second_opinion
from assess_registry.tools import run_tool
from assess_registry.wheel import InspectedWheel

Files = frozenset[tuple[str, bytes]]


class Remembered:
    """Examinations by check and files; of a double of the program nothing is remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Files], Examination] = {}
        self._opinions: dict[tuple[Path, str, Files], Any] = {}
        self._elsewhere: dict[str, dict[tuple[str, Files], Examination]] = {}

    def forget(self) -> None:
        """The next audit of this test starts every program; what the others know they know again."""
        self._known, self._opinions = {}, {}

    def elsewhere(self, place: str) -> None:
        """From now on in this test, only what was said of an audit in this place is remembered."""
        self._known = self._elsewhere.setdefault(place, {})

    def within(self, patch: pytest.MonkeyPatch) -> None:
        """From now on until the patch is undone, and with it what a test forgot."""
        patch.setattr(self, "_known", self._known)
        patch.setattr(self, "_opinions", self._opinions)
        for check in (bandit, secrets):
            patch.setattr(check, "examine", self._asking_once(check))
        patch.setattr(second_opinion, "_ask_pip", self._asking_pip_once(second_opinion._ask_pip))

    def _asking_pip_once(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def ask(interpreter: Path, directory: Path, wheel: InspectedWheel) -> Any:
            files = frozenset((path.name, path.read_bytes()) for path in directory.iterdir() if path.is_file())
            key = interpreter, wheel.filename, files
            if key not in self._opinions:
                self._opinions[key] = real(interpreter, directory, wheel)
            return self._opinions[key]

        return ask

    def _asking_once(self, check: ModuleType) -> Callable[[Subject, Context], Examination]:
        real: Callable[[Subject, Context], Examination] = check.examine

        def examine(subject: Subject, context: Context) -> Examination:
            if context.run_tool is not run_tool:
                return real(subject, context)
            key = str(check.NAME), frozenset((file.path, file.data) for file in subject.files)
            if key not in self._known:
                self._known[key] = real(subject, context)
            return self._known[key]

        return examine

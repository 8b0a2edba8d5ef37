"""A real `assess up` in a process of its own, and what it says.

with Up(config, state) as up:
    up.until("up-ready")
    up.signal(signal.SIGTERM)
    assert up.wait() == 0
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WITHIN_S = 100.0

PROGRAM = "import sys; from assess_core.cli import main; sys.exit(main())"


def assess(*argv: str, config: Path, state: Path) -> subprocess.CompletedProcess[str]:
    """Another command on the same state directory."""
    command = [sys.executable, "-c", PROGRAM, *argv, "--config", str(config), "--state-dir", str(state)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=WITHIN_S)


class Up:
    """`assess up --log json`, from its start to its end; killed if it is there still when the block is left."""

    def __init__(
        self, config: Path, state: Path, *more: str, environ: Mapping[str, str] | None = None, wrap: Sequence[str] = ()
    ) -> None:
        argv = [*wrap, sys.executable, "-c", PROGRAM, "up", "--log", "json", "--log-level", "debug", *more]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*argv, "--config", str(config), "--state-dir", str(state)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **(environ or {})},
        )
        self.said: list[Mapping[str, Any]] = []
        self.plain: list[str] = []
        self._changed = threading.Condition()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reading.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def until(self, action: str, *, times: int = 1, within_s: float = WITHIN_S) -> Mapping[str, Any]:
        """The record of this action, once it was said so often."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.of(action)) >= times or not self._reading.is_alive(), within_s)
            found = self.of(action)
            assert len(found) >= times, f"{action} was said {len(found)} times\n{self.text()}"
            return found[times - 1]

    def of(self, action: str) -> list[Mapping[str, Any]]:
        """Every record of this action until now."""
        return [each for each in self.said if each.get("action") == action]

    def more(self, action: str, *, within_s: float = WITHIN_S) -> Mapping[str, Any]:
        """The next record of this action."""
        return self.until(action, times=len(self.of(action)) + 1, within_s=within_s)

    def text(self) -> str:
        """All that was said, for messages."""
        lines = [f"{each.get('at')} {each.get('action')}: {each.get('message')}" for each in self.said]
        return "\n".join(lines + self.plain)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, within_s: float = WITHIN_S) -> int:
        """The exit code."""
        code = self.process.wait(within_s)
        self._reading.join(within_s)
        return code

    def stop(self) -> None:
        """It was asked to stop, and did."""
        self.signal(signal.SIGTERM)
        assert self.wait() == 0, self.text()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                try:
                    self.said.append(json.loads(line))
                except ValueError:
                    self.plain.append(line.rstrip())
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

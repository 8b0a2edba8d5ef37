"""A checkout as a stranger has it: only what git would hand over, in a directory of its own, a clean environment."""

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import refuse_or_skip

ROOT = Path(__file__).parents[2]
BARE_PATH = "/usr/local/bin:/usr/bin:/bin"
ORDINARY_USER = "nobody"

_PASSED_ON = ("ASSESS_PIP_CONFIG",)
"""How this machine reaches the Python index, where the Makefile has to be told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """A copied checkout and who works in it (`None`: whoever runs the tests)."""

    path: Path
    user: str | None

    @property
    def bin(self) -> Path:
        """Where the commands are, once installed."""
        return self.path / ".venv/bin"

    def command(
        self, *argv: str | Path, prefix: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> list[str]:
        """The command line that runs `argv` with nothing in its environment but a bare PATH and an empty home."""
        home = self.path.parent / "home"
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        wanted = {"PATH": BARE_PATH, "HOME": str(home), **passed_on, **(environment or {})}
        become: list[str] = []
        if self.user is not None:
            account = pwd.getpwnam(self.user)
            become = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--"]
        assignments = [f"{name}={value}" for name, value in wanted.items()]
        return [*prefix, *become, "env", "-i", *assignments, *map(str, argv)]

    def run(
        self,
        *argv: str | Path,
        timeout_s: float = 300,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command here (see `command`); what it prints has to be UTF-8."""
        return subprocess.run(
            self.command(*argv, prefix=prefix, environment=environment),
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )

    def shell(self, line: str, *, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run one line as somebody types it, with this checkout's commands on the path."""
        return self.run("bash", "-c", f"PATH={shlex.quote(str(self.bin))}:$PATH; {line}", timeout_s=timeout_s)


def require_root(why: str) -> None:
    """Skip (or fail, where everything is required) unless these tests run as root."""
    if os.geteuid() != 0:
        refuse_or_skip(f"root, {why},")


@contextmanager
def checkout(*, user: str | None = None) -> Iterator[Checkout]:
    """A copy of everything git tracks here or would track, as that user, removed afterwards."""
    base = Path(tempfile.mkdtemp(prefix="assess-checkout-"))
    try:
        path = base / "assess"
        (base / "home").mkdir()
        for name in filter(None, _listed()):
            source = ROOT / os.fsdecode(name)
            if not source.exists():
                continue  # deleted, not yet committed
            target = path / os.fsdecode(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        base.chmod(0o755)
        if user is not None:
            account = pwd.getpwnam(user)
            for entry in (base, *base.rglob("*")):
                os.chown(entry, account.pw_uid, account.pw_gid, follow_symlinks=False)
        yield Checkout(path=path, user=user)
    finally:
        shutil.rmtree(base)


def _listed() -> list[bytes]:
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")

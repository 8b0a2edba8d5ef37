"""A checkout as a stranger has it: only what git would hand over, in a directory of its own, a clean environment."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import refuse_or_skip

ROOT = Path(__file__).parents[2]
BARE_PATH = "/usr/local/bin:/usr/bin:/bin"
ORDINARY_USER = "nobody"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """A copied checkout and who works in it (`None`: whoever runs the tests)."""

    path: Path
    user: str | None

    def run(
        self,
        *argv: str,
        timeout_s: float = 300,
        prefix: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command here, with nothing in its environment but a bare PATH and an empty home."""
        home = self.path.parent / "home"
        command = ["env", "-i", f"PATH={BARE_PATH}", f"HOME={home}"]
        command += [f"{name}={value}" for name, value in (environment or {}).items()]
        if self.user is not None:
            account = pwd.getpwnam(self.user)
            prefix = [
                *prefix, "setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--",
            ]  # fmt: skip
        return subprocess.run(
            [*prefix, *command, *argv], cwd=self.path, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def shell(self, line: str, *, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run one line as somebody types it, with this checkout's commands on the path."""
        return self.run("bash", "-c", f'PATH="{self.path}/.venv/bin:$PATH"; {line}', timeout_s=timeout_s)


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
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, check=True,
        ).stdout.split(b"\0")  # fmt: skip
        for name in filter(None, listed):
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

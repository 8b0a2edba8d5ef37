"""Files that the kernel writes as they are read: a plugin gets what the runtime may read, once."""

import asyncio
import os
from pathlib import Path

import pytest

from assess_core.host import Supervisor, files
from assess_core.host.refusals import ImproperError
from assess_core.host.rights import Rights
from assess_plugin import ActionInput, Outcome, Subject
from assess_plugin.permissions import Permissions
from tests.support.checkout import require_root
from tests.support.installed import host_config, make_installed

PRIVILEGED = Path("/proc/sys/net/core/bpf_jit_harden")
"""Opening it needs root, and so does each reading (net/core/sysctl_net_core.c)."""

SOURCE = """
from assess_plugin import ActionInput, ActionOutput, CheckResult, Outcome, hookimpl

@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    with input.host.open(input.settings["path"]) as file:
        said = file.read().decode()
    return ActionOutput(results=(CheckResult(check_id="reads", outcome=Outcome.PASS, actual=said),))
"""


def opened(path: Path, entry: str) -> int:
    return files.open_file(str(path), Rights(permissions=Permissions(read=(entry,))))


def name_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


@pytest.mark.parametrize("path", ["/proc/sys/kernel/ostype", "/sys/kernel/mm/transparent_hugepage/enabled"])
def test_the_kernels_files_are_handed_on_as_copies(path: str) -> None:
    if not Path(path).exists():
        pytest.skip(f"this kernel has no {path}")
    descriptor = opened(Path(path), path)
    with os.fdopen(descriptor, "rb") as file:
        assert name_of(descriptor).startswith("/memfd:")
        assert file.read() == Path(path).read_bytes()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"x")


def test_a_copy_stays_as_it_is_however_it_is_opened_again() -> None:
    descriptor = opened(Path("/proc/sys/kernel/ostype"), "/proc/sys/kernel/ostype")
    with os.fdopen(descriptor, "rb"):
        if os.geteuid() != 0:  # whom no mode keeps from opening it
            with pytest.raises(PermissionError, match="Permission denied"):
                os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)
            return
        with Path(f"/proc/self/fd/{descriptor}").open("r+b", buffering=0) as again:
            with pytest.raises(PermissionError, match="not permitted"):
                again.write(b"x")
            with pytest.raises(PermissionError, match="not permitted"):
                again.truncate(0)


def test_any_other_file_is_handed_on_itself(tmp_path: Path) -> None:
    place = Path(os.path.realpath(tmp_path)) / "file"
    place.write_text("here")
    descriptor = opened(place, str(place))
    try:
        assert name_of(descriptor) == str(place)
    finally:
        os.close(descriptor)


def test_a_copy_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("/proc/sys/kernel/ostype")
    monkeypatch.setattr(files, "MAX_KERNEL_FILE", len(path.read_bytes()) - 1)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ImproperError, match="too much to hand on"):
        opened(path, str(path))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    monkeypatch.setattr(files, "MAX_KERNEL_FILE", len(path.read_bytes()))
    os.close(opened(path, str(path)))


def test_an_isolated_plugin_is_told_what_only_root_may_read(tmp_path: Path) -> None:
    require_root("whose workers have less than it has")
    if not PRIVILEGED.exists():
        pytest.skip(f"this kernel has no {PRIVILEGED}")
    installed = make_installed(
        tmp_path, {"reads": SOURCE}, plugins={"it": "reads"}, checks=["reads"], permissions=f'read = ["{PRIVILEGED}"]'
    )

    async def read() -> tuple[str, str | None]:
        supervisor = Supervisor(installed, host_config(tmp_path))
        given = ActionInput(
            subject=Subject(id="s", type="user", title="s"), checks=("reads",), settings={"path": str(PRIVILEGED)}
        )
        try:
            report = await supervisor.execute("it", given, timeout_s=30)
        finally:
            await supervisor.stop()
        (result,) = report.output.results
        assert result.outcome is Outcome.PASS
        return report.held.isolation, result.actual

    assert asyncio.run(read()) == ("full", PRIVILEGED.read_text())

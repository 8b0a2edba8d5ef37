"""The profile is what docs/isolation.md says: what may be read, what may be written, and nothing by accident."""

import re
from pathlib import Path

import pytest

from assess_plugin.isolation import profile as policy
from assess_plugin.isolation.profile import Identity, Profile, make_profile

TEXT = (Path(__file__).parents[3] / "docs" / "isolation.md").read_text()
SCRATCH = "/var/lib/assess/scratch/run-x/worker-y"


def made(machine: str = "x86_64", **limits: int) -> Profile:
    return make_profile(
        machine=machine,
        pid=4711,
        parent=4242,
        identity=Identity(uid=61184, gid=61184, capabilities=policy.CAP_DAC_READ_SEARCH),
        read=["/opt/python/lib", "/usr/lib"],
        write=SCRATCH,
        limits=limits,
    )


def test_the_document_lists_what_may_be_read() -> None:
    table = TEXT.partition("<!-- readable -->")[2].partition("<!-- /readable -->")[0]
    assert tuple(re.findall(r"`(/[^`]+)`", table)) == policy.SYSTEM_READABLE


def test_nothing_but_scratch_and_null_may_be_written_and_nothing_executed() -> None:
    rights = dict(made().landlock.paths)
    writable = {path for path, given in rights.items() if given & ~policy.READ}
    assert writable == {SCRATCH, "/dev/null"}
    assert not [path for path, given in rights.items() if given & policy.EXECUTE]
    assert rights["/dev/null"] == policy.READ_FILE | policy.WRITE_FILE
    assert rights["/opt/python/lib"] == policy.READ


def test_each_path_has_one_rule() -> None:
    paths = [path for path, _ in made().landlock.paths]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize(
    "path",
    ["/", "/etc", "/home", "/root", "/proc", "/proc/self", "/run", "/tmp", "/dev", "/sys", "/var", "/etc/shadow"],
)
def test_no_rule_covers_what_is_somebody_elses(path: str) -> None:
    covering = [
        rule for rule, _ in made().landlock.paths if Path(path) == Path(rule) or Path(rule) in Path(path).parents
    ]
    assert covering == []


def test_the_kernel_is_asked_for_all_that_it_can_restrict() -> None:
    landlock = made().landlock
    assert (landlock.handled_fs, landlock.handled_net, landlock.scoped) == (0xFFFF, 3, 3)
    assert all(given & ~landlock.handled_fs == 0 for _, given in landlock.paths)


def test_no_core_file_whatever_the_other_limits_are() -> None:
    assert made(RLIMIT_NOFILE=256).limits == {"RLIMIT_CORE": 0, "RLIMIT_NOFILE": 256}


def test_a_machine_without_a_table_has_no_profile() -> None:
    with pytest.raises(ValueError, match="expected one of x86_64, aarch64, got 's390x'"):
        made("s390x")

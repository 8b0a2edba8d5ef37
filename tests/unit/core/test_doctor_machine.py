"""Whether the kernel groups processes by session: what a machine says of it in its files."""

from pathlib import Path

import pytest

from assess_core.doctor import machine


@pytest.mark.parametrize(
    ("switch", "own", "bounded", "grouped"),
    [
        ("1", "0::/", (), True),
        ("0", "0::/", (), False),
        ("1", "0::/system.slice/assess.service", (), True),
        ("1", "0::/system.slice/assess.service", ("system.slice/assess.service",), False),
        ("1", "0::/system.slice/assess.service", ("system.slice",), False),
        ("1", "0::/system.slice/assess.service", ("user.slice",), True),
        ("1", "0::/", (".",), False),
        ("1", "9:name=systemd:/x\n4:cpu,cpuacct:/", (), True),
        ("1", "9:name=systemd:/x\n4:cpu,cpuacct:/system.slice", (), False),
        ("1", "9:name=systemd:/x\n4:cpuset:/x\n3:cpuacct:/x", (), True),
    ],
)
def test_it_does_outside_of_control_groups_that_share_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str, own: str, bounded: tuple[str, ...], *, grouped: bool
) -> None:
    (tmp_path / "switch").write_text(f"{switch}\n")
    (tmp_path / "own").write_text(f"{own}\n")
    for each in bounded:
        (tmp_path / "groups" / each).mkdir(parents=True)
        (tmp_path / "groups" / each / "cpu.weight").write_text("100\n")
    monkeypatch.setattr(machine, "_AUTOGROUP", tmp_path / "switch")
    monkeypatch.setattr(machine, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    line = machine._processor()
    assert ("autogroup)" in line.text) is grouped
    assert grouped or "not between workers" in line.text


@pytest.mark.parametrize(("uid", "capable", "state"), [(0, True, "ok"), (0, False, "warn"), (1000, False, "ok")])
def test_who_may_not_make_workers_nicer_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, state: str, *, capable: bool
) -> None:
    monkeypatch.setattr(machine, "_AUTOGROUP", tmp_path / "there-is-none")
    monkeypatch.setattr("os.geteuid", lambda: uid)
    monkeypatch.setattr(machine, "_has", lambda capability: capable and capability == machine.CAP_SYS_NICE)
    line = machine._processor()
    assert (line.state, "CAP_SYS_NICE" in line.fix + line.text) == (state, state == "warn")

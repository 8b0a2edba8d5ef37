"""What a real `assess up` shows of itself, asked over a real socket."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.registry_tree import DEMO_EACH_SECOND, make_registry_tree
from tests.support.served import free_port

WITHIN_S = 60.0

CONFIG = f"""{DEMO_EACH_SECOND}[observe]
log = "json"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_registry_tree(tmp_path / "registry")
    return tmp_path


def configure(place: Path, listen: str) -> None:
    """By rename, as an editor or a program for configurations does it."""
    new = place / "new.toml"
    new.write_text(f'{CONFIG}listen = "{listen}"\n')
    new.rename(place / "assess.toml")


@pytest.fixture
def up(place: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    started = []

    def start(listen: str) -> subprocess.Popen[bytes]:
        configure(place, listen)
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [Path(sys.executable).with_name("assess"), "up", "--state-dir", place / "state"], cwd=place, stderr=log
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def said(place: Path) -> list[dict[str, object]]:
    lines = (place / "log").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def eventually(place: Path, holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until, (place / "log").read_text()
        time.sleep(0.05)


def has_said(place: Path, action: str) -> Callable[[], bool]:
    return lambda: any(line["action"] == action for line in said(place))


def numbers(listen: str) -> dict[str, float]:
    """By name and label values."""
    text = httpx.get(f"http://{listen}/metrics", timeout=60).raise_for_status().text
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {" ".join([each.name, *each.labels.values()]): each.value for each in samples}


def answers(listen: str) -> bool:
    try:
        return httpx.get(f"http://{listen}/healthz", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_health_and_numbers_are_told_where_the_configuration_says(
    place: Path, up: Callable[[str], subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "multi").mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", os.fspath(place / "multi"))  # prometheus_client would write there
    listen, other = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    process = up(listen)
    eventually(place, has_said(place, "up-ready"))
    eventually(place, lambda: answers(listen))
    assert httpx.get(f"http://{listen}/readyz", timeout=60).text == "ok\n"
    eventually(place, lambda: numbers(listen).get("assess_runs_total demo complete", 0) >= 2)
    seen = numbers(listen)
    assert seen["assess_results_total demo pass"] >= 2
    assert seen[f"assess_build_info {version('assess-runtime')}"] == 1
    assert seen["assess_config_refused"] == 0
    assert seen["assess_journal_bytes"] > 0
    assert seen["assess_start_lateness_seconds_count"] >= 2
    assert abs(seen["assess_next_start_timestamp_seconds demo"] - time.time()) < 60
    assert abs(seen["assess_last_complete_timestamp_seconds demo"] - time.time()) < 60
    assert seen["process_resident_memory_bytes"] > 0
    assert [name for name in seen if name.startswith("assess_workers demo-plugin ")]

    (place / "assess.toml").write_text("[nonsense\n")
    eventually(place, lambda: numbers(listen)["assess_config_refused"] == 1)
    before = numbers(listen)["assess_runs_total demo complete"]
    eventually(place, lambda: numbers(listen)["assess_runs_total demo complete"] > before)

    configure(place, other)
    eventually(place, lambda: answers(other))
    assert not answers(listen), "the control: it went from where it was"
    assert numbers(other)["assess_config_refused"] == 0

    process.send_signal(signal.SIGTERM)
    assert process.wait(WITHIN_S) == 0
    assert not answers(other)
    assert list((place / "multi").iterdir()) == []
    runs = [line for line in said(place) if line["action"] == "run-ended"]
    assert runs
    assert {line["assessment"] for line in runs} == {"demo"}
    assert all(line["run_id"] for line in runs)


NEVER = """
[[assessments]]
id = "other"
plugin = "demo"
provider = "demo-subjects"
schedule = "0 0 1 1 *"
"""


def test_the_last_complete_run_is_told_of_all_that_are_scheduled_and_of_no_other(
    place: Path, up: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    def last() -> dict[str, float]:
        name = "assess_last_complete_timestamp_seconds "
        return {each.removeprefix(name): at for each, at in numbers(listen).items() if each.startswith(name)}

    listen = f"127.0.0.1:{free_port()}"
    up(listen)
    eventually(place, has_said(place, "run-ended"))
    eventually(place, lambda: answers(listen) and last().keys() == {"demo"})
    configured = (place / "assess.toml").read_text()
    (place / "assess.toml").write_text(configured + NEVER)
    eventually(place, lambda: last().keys() == {"demo", "other"})
    assert last()["other"] == 0, "the alarm is about what never happened, too"

    assess = [str(Path(sys.executable).with_name("assess")), "run", "--state-dir", "state", "--assessment", "other"]
    subprocess.run([*assess, "--check", "*"], cwd=place, capture_output=True, check=True)
    assert last()["other"] == 0, "a narrowed run is no word on the whole"
    subprocess.run(assess, cwd=place, capture_output=True, check=True)
    eventually(place, lambda: last()["other"] > time.time() - WITHIN_S)  # though it was not `up` that ran it

    (place / "assess.toml").write_text(configured + NEVER.replace("schedule", "enabled = false\nschedule"))
    eventually(place, lambda: last().keys() == {"demo"})


def test_a_port_that_another_program_has_ends_nothing(
    place: Path, up: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    host, port = listen.split(":")
    with socket.create_server((host, int(port))):
        up(listen)
        eventually(place, has_said(place, "endpoint-failed"))
        eventually(place, has_said(place, "run-ended"))
    eventually(place, lambda: answers(listen))


def test_the_log_is_followed_and_where_the_chain_stands_is_told_at_every_level(
    place: Path, up: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    process = up(listen)
    eventually(place, has_said(place, "run-ended"))
    (place / "assess.toml").write_text(f'{CONFIG}log_level = "error"\nlisten = "{listen}"\n')
    eventually(place, has_said(place, "config-followed"))
    before = len([line for line in said(place) if line["action"] == "run-ended"])
    done = numbers(listen)["assess_runs_total demo complete"]
    eventually(place, lambda: numbers(listen)["assess_runs_total demo complete"] >= done + 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(WITHIN_S) == 0
    lines = said(place)
    assert len([line for line in lines if line["action"] == "run-ended"]) <= before + 1
    assert lines[-1]["action"] == "chain-head"
    program = str(Path(sys.executable).with_name("assess"))
    argv = [program, "results", "backup", "copy.db", "-o", "json", "--state-dir", "state"]
    copied = subprocess.run(argv, cwd=place, check=True, capture_output=True)
    assert json.loads(copied.stdout)["heads"] == {"rt": str(lines[-1]["message"]).rpartition(" ")[2]}

"""One `assess up`, and fifty and more mistakes that somebody makes in its configuration, one after the other.

Each file in `tests/data/broken` is `tests/data/good.toml` with one mistake; its first line has the words that the
message about it must have. What is not the text's fault - others may write to it, it is gone - is done here.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from assess_core.config import MAX_BYTES, load
from tests.support.nothing_left import Adopted, children_of, left_of
from tests.support.registry_tree import make_registry_tree
from tests.support.served import free_port
from tests.support.up import Up

DATA = Path(__file__).parent.parent / "data"
SAYS = b"# says: "
BROKEN = {path.stem: path.read_bytes() for path in sorted((DATA / "broken").glob("*.toml"))}
LISTEN = "127.0.0.1:9464"

WITHIN_S = 60.0
GOOD_EACH = 20
"""After so many mistakes it is as it should be for a moment."""

STAYS = ("assess_next_start_timestamp_seconds nightly", "assess_build_info", "assess_waivers", "assess_findings_open")
"""What the good configuration says, and every bad one would change if it were followed."""


class Place:
    """A configuration file that is replaced again and again, and the registry beside it."""

    def __init__(self, directory: Path) -> None:
        make_registry_tree(directory / "registry")
        self.path, self.state = directory / "assess.toml", directory / "state"
        self.listen = f"127.0.0.1:{free_port()}"
        self.good = (DATA / "good.toml").read_bytes().replace(LISTEN.encode(), self.listen.encode())

    def put(self, data: bytes, *, mode: int = 0o600) -> None:
        """By rename, as an editor or a program for configurations does it."""
        new = self.path.with_name("new.toml")
        new.write_bytes(data)
        new.chmod(mode)
        if self.path.is_dir():
            self.path.rmdir()
        new.rename(self.path)

    def put_directory(self) -> None:
        self.path.unlink(missing_ok=True)
        self.path.mkdir()

    def put_pipe(self) -> None:
        new = self.path.with_name("new.toml")
        os.mkfifo(new, 0o600)
        new.rename(self.path)

    def numbers(self) -> dict[str, float]:
        """By name and label values."""
        text = httpx.get(f"http://{self.listen}/metrics", timeout=30).raise_for_status().text
        samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
        return {" ".join([each.name, *each.labels.values()]): each.value for each in samples}


Mistake = tuple[tuple[str, ...], Callable[[Place], None]]
"""The words that the message must have, and how it is made."""

OTHERWISE: Mapping[str, Mistake] = {
    "empty": (("registry", "missing"), lambda place: place.put(b"")),
    "others may write": (
        ("others can change what is configured", "chmod go-w"),
        lambda place: place.put(place.good, mode=0o666),
    ),
    "a pipe": (("regular file",), Place.put_pipe),
    "too large": (
        (f"at most {MAX_BYTES} bytes",),
        lambda place: place.put(place.good + b"# more\n" * (MAX_BYTES // 7)),
    ),
    "gone": (("there is no such file", "assess init"), lambda place: place.path.unlink()),
    "a directory": (("directory",), Place.put_directory),
}


def mistakes() -> dict[str, Mistake]:
    found: dict[str, Mistake] = {}
    for name, data in BROKEN.items():
        first = data.partition(b"\n")[0]
        assert first.startswith(SAYS), name
        words = tuple(first.removeprefix(SAYS).decode().split(" | "))
        found[name] = (words, lambda place, data=data: place.put(data))  # type: ignore[misc]
    return {**found, **OTHERWISE}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_runs_goes_on_whatever_is_wrong_with_the_configuration(place: Place, adopted: Adopted) -> None:
    wrong: list[str] = []
    place.put(place.good)
    with Up(place.path, place.state) as up:
        up.until("run-ended", times=2, within_s=WITHIN_S)
        eventually(up, lambda: runs(place) >= 1)
        before, processes = place.numbers(), set(children_of(up.process.pid))
        assert len(mistakes()) >= 50
        for number, (name, (words, make)) in enumerate(mistakes().items(), start=1):
            ran, told = runs(place), len(up.of("config-refused"))
            make(place)
            message = str(up.until("config-refused", times=told + 1, within_s=WITHIN_S)["message"])
            wrong += [
                f"{name}: does not say {word!r}: {message}" for word in (str(place.path), *words) if word not in message
            ]
            wrong += [f"{name}: says more: {message}" for _ in range(message.count(f"{place.path}: ") - 1)]
            eventually(up, lambda: place.numbers()["assess_config_refused"] == 1)
            eventually(up, lambda ran=ran: runs(place) > ran)  # type: ignore[misc]
            wrong += differences(name, before, place.numbers())
            if number % GOOD_EACH == 0:
                put_right(place, up)
        put_right(place, up)
        wrong += differences("put right", before, place.numbers())
        assert not up.of("config-followed"), "what is followed is what was followed"
        assert processes <= set(children_of(up.process.pid)), "those that were at work are"
        assert not up.of("run-failed"), up.text()
        assert not up.of("bug"), up.text()
        up.signal(signal.SIGTERM)
        assert up.wait() == 0
    assert not wrong, "\n".join(wrong)
    assert not left_of(place.state)


def test_the_good_one_is_good_and_differs_by_one_mistake_from_each(tmp_path: Path) -> None:
    shutil.copyfile(DATA / "good.toml", tmp_path / "assess.toml")
    config = load(tmp_path / "assess.toml")
    assert [each.id for each in config.assessments] == ["demo", "nightly"]
    lines = (DATA / "good.toml").read_bytes().splitlines()
    for name, data in BROKEN.items():
        assert lines != data.splitlines()[1:], name


def put_right(place: Place, up: Up) -> None:
    place.put(place.good)
    eventually(up, lambda: place.numbers()["assess_config_refused"] == 0)


def runs(place: Place) -> float:
    return place.numbers().get("assess_runs_total demo complete", 0)


def differences(name: str, before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """What numbers say that they did not say before, of what only a configuration changes."""
    kept = {key: value for key, value in before.items() if key.startswith(STAYS)}
    found = {key: value for key, value in now.items() if key.startswith(STAYS)}
    said = [f"{name}: {sorted(kept.items() ^ found.items())}"] if kept != found else []
    more = sorted(key for key in now.keys() - before.keys() if not key.startswith("assess_workers"))
    return said + [f"{name}: now there is {key}" for key in more]


def eventually(up: Up, holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not holds():
        assert up.process.poll() is None, up.text()
        assert time.monotonic() < until, up.text()
        time.sleep(0.05)

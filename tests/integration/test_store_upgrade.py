"""A state directory of an older layout is read as it is, and upgraded in place, whoever is killed in the middle."""

import json
import tarfile
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store import Store
from assess_core.store.environments import environment_key
from assess_core.store.records import decode_record
from assess_core.store.upgrade import LAYOUT, MIGRATIONS
from assess_registry.client import parse_project
from tests.support.installing import tree_of
from tests.support.kills import steps

OLD = Path(__file__).parents[1] / "vendor/state-layout-1/state.tar.xz"
NAME = parse_project("demo-plugin")
NEW = {"leases", "choices", "quarantine", "trials"}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A state directory as the last release left it that wrote layout 1."""
    return unpacked(tmp_path)


def unpacked(directory: Path) -> Path:
    with tarfile.open(OLD) as archive:
        # As `filter=` would, which 3.11.2 does not know: `bin/python` is a link that leads out of it.
        archive.extraction_filter = lambda member, _path: member
        archive.extractall(directory)
    return directory / "state"


def test_it_is_of_an_older_layout(old: Path) -> None:
    assert json.loads((old / "layout.json").read_text()) == {"layout": 1}
    assert not NEW & {path.name for path in old.iterdir()}


def test_reading_upgrades_nothing(old: Path) -> None:
    before, store = tree_of(old), Store(old)
    assert store.distributions() == (NAME,)
    assert [each.version for each in store.consents(NAME).given] == []
    baseline = store.consents(NAME).baseline
    assert baseline is not None
    assert baseline.version == "1.1.0"
    assert tree_of(old) == before


def test_the_first_change_upgrades_it_and_keeps_what_was_there(old: Path) -> None:
    before = tree_of(old)
    with Store(old).layout.locked():
        assert Store(old).distributions() == (NAME,)
    after = tree_of(old)
    assert json.loads((old / "layout.json").read_text()) == {"layout": LAYOUT}
    assert after.keys() - before.keys() == NEW
    assert {path for path in before if after[path] != before[path]} == {"layout.json"}


def test_environments_are_not_built_again(old: Path) -> None:
    """What names an environment did not change with the layout."""
    records = sorted((old / "installed").glob("*.json"))
    assert len(records) == 2
    for path in records:
        environment = old / "envs" / path.stem
        record = decode_record(path.read_bytes(), env_key=path.stem, environment=environment)
        wheels = [wheel.sha256 for wheel in record.wheels]
        assert environment_key(record.plugin.lock_sha256, wheels, record.interpreter) == path.stem


def test_a_kill_at_any_point_of_an_upgrade_leaves_it_to_the_next(tmp_path: Path) -> None:
    number = 0
    root = tmp_path

    def prepare() -> None:
        nonlocal number, root
        number += 1
        root = unpacked(tmp_path / str(number))

    def upgrade() -> None:
        with Store(root).layout.locked():
            pass

    prepare()
    upgrade()
    wanted, kills, layouts = tree_of(root), 0, set()
    for _ in steps(upgrade, prepare, evenly=True):
        kills += 1
        layouts.add(json.loads((root / "layout.json").read_text())["layout"])
        assert Store(root).distributions() == (NAME,)
        upgrade()
        assert tree_of(root) == wanted
    assert kills > 10
    assert layouts == {1, LAYOUT}


@pytest.mark.parametrize("found", [LAYOUT + 1, 0, -1, "2", None, True, 1.0])
def test_any_other_layout_is_refused_and_left_alone(old: Path, found: object) -> None:
    (old / "layout.json").write_text(json.dumps({"layout": found}))
    before = tree_of(old)
    with pytest.raises(StoreError, match=f"has layout {found}, this release reads layouts 1 to {LAYOUT}"):
        Store(old)
    assert tree_of(old) == before


def test_every_older_layout_has_a_migration() -> None:
    assert list(MIGRATIONS) == list(range(min(MIGRATIONS), LAYOUT))

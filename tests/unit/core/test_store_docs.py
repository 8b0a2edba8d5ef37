"""docs/state.md says what really lies in the state directory."""

import re
from pathlib import Path

from assess_core.delivery.vouching import TRUST
from assess_core.journal.identity import IDENTITY
from assess_core.observe.crash import CRASHES
from assess_core.store.interpreters import MEMORY
from assess_core.store.layout import Layout
from assess_core.store.surroundings import SEEDS
from assess_core.store.upgrade import LAYOUT
from assess_core.up import last_good, lock
from assess_registry.client import parse_project, parse_sha256

TEXT = (Path(__file__).parents[3] / "docs/state.md").read_text()
ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.*)$", TEXT, flags=re.MULTILINE))


def test_every_place_of_the_layout_has_a_row_and_every_row_a_place() -> None:
    layout = Layout(root=Path("/state"))
    places = {
        layout.root / "layout.json": "layout.json",
        layout.root / "store.lock": "store.lock",
        layout.path("staging"): "staging/",
        layout.wheel(parse_sha256("1" * 64)): "wheels/<sha256>/",
        layout.lock_file(parse_sha256("1" * 64)).parent: "locks/<sha256>/",
        layout.environment("KEY"): "envs/<env key>/",
        layout.record("KEY"): "installed/<env key>.json",
        layout.built_environment("KEY").contents: "installed/<env key>.contents",
        layout.built_environment("KEY").stat: "installed/<env key>.stat",
        layout.pointer(parse_project("demo-plugin")): "active/<distribution>.json",
        layout.consents(parse_project("demo-plugin")): "consents/<distribution>.json",
        layout.choices(parse_project("demo-plugin")): "choices/<distribution>.json",
        layout.path("quarantine"): "quarantine/<distribution>.json",
        layout.lease("KEY"): "leases/<env key>",
        layout.path("trials") / "KEY": "trials/<env key>",
        layout.root / TRUST / "DIGEST": "trust/<sha256 of the root>/",
        layout.path("kits"): "kits/<digest>-<tag>/",
        layout.root / MEMORY: "interpreters.json",
        layout.root / IDENTITY: "identity/",
        layout.root / last_good.NAME: last_good.NAME,
        layout.root / lock.NAME: lock.NAME,
        layout.root / CRASHES: "crash/",
    }
    for path, shown in places.items():
        assert path.relative_to(layout.root).parts[0] == shown.partition("/")[0]
    assert list(ROWS) == list(places.values())


def test_it_states_the_layouts_version_and_the_seeds() -> None:
    assert f'{{"layout": {LAYOUT}}}' in ROWS["layout.json"]
    for seed in SEEDS:
        assert seed in TEXT

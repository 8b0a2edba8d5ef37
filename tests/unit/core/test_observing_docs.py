"""docs/observing.md names every metric, path, key and bound there is."""

import re
from pathlib import Path

from assess_core.config import ObserveConfig
from assess_core.observe.crash import KEPT
from assess_core.observe.log import RECENT, WAITING
from assess_core.observe.metrics import Metrics, Standing
from assess_core.observe.repeats import ALIKE, TOLD

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "observing.md").read_text()


def test_every_metric_has_a_row_and_every_row_a_metric() -> None:
    metrics = Metrics({"version": "1"})
    told = {line.split()[2] for line in metrics.text(Standing()).decode().splitlines() if line.startswith("# TYPE")}
    ours = {name for name in told if name.startswith("assess_")}
    rows = "".join(re.findall(r"^\| (`assess_[^|]*) \|", TEXT, re.MULTILINE))
    assert set(re.findall(r"`(assess_\w+)`", rows)) == ours
    assert {name for name in told - ours if not name.startswith("process_")} == set()


def test_every_action_that_is_named_is_one() -> None:
    """And those worth an alarm are real."""
    code = "".join(path.read_text() for path in (ROOT / "src" / "assess_core").rglob("*.py"))
    (paragraph,) = re.findall(r"^Actions that are worth an alarm.*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    named = re.findall(r"`([a-z-]+)`", paragraph)
    assert len(named) >= 12
    assert [action for action in named if f'"{action}"' not in code] == []


def test_every_key_and_bound_is_named() -> None:
    assert all(f"{key} = " in TEXT or key == "watchdog" for key in ObserveConfig.model_fields)
    assert f"{WAITING:,} lines wait" in TEXT
    assert f"the last {RECENT} lines of the log" in TEXT
    assert f"told {TOLD}\ntimes a minute and then counted, lines from one place {ALIKE} times" in TEXT
    assert {10: "Ten are kept"}[KEPT] in TEXT

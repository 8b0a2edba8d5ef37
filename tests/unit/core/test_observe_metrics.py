"""What Prometheus reads, held to its own parser."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from assess_core.observe.metrics import LATENESS_S, Metrics, Standing

BUILD = {"version": "0.1.0", "runtime": "web-01"}


NOTHING = Standing()


def read(metrics: Metrics, standing: Standing = NOTHING) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.text(standing).decode())
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples
    }


def test_each_run_is_counted_with_its_results_and_its_time() -> None:
    metrics = Metrics(BUILD)
    metrics.run_ended("host", complete=True, outcomes={"pass": 58, "fail": 2}, seconds=1.5)
    metrics.run_ended("host", complete=False, outcomes={"error": 1, "fail": 1}, seconds=0.5)
    metrics.run_lost("host", "cut-short")
    found = read(metrics)
    host = ("assessment", "host")
    assert found["assess_runs_total", (host, ("state", "complete"))] == 1
    assert found["assess_runs_total", (host, ("state", "incomplete"))] == 1
    assert found["assess_runs_total", (host, ("state", "cut-short"))] == 1
    assert found["assess_results_total", (host, ("outcome", "fail"))] == 3
    assert found["assess_results_total", (host, ("outcome", "pass"))] == 58
    assert found["assess_run_seconds_total", (host,)] == 2.0
    assert found["assess_build_info", tuple(sorted(BUILD.items()))] == 1


@pytest.mark.parametrize(("late", "below"), [(0.0, "0.01"), (0.01, "0.01"), (0.02, "0.05"), (301.0, "+Inf")])
def test_lateness_falls_into_the_bucket_it_belongs_to(late: float, below: str) -> None:
    metrics = Metrics(BUILD)
    metrics.started(late)
    found = read(metrics)
    bounds = [*map(str, LATENESS_S), "+Inf"]
    for bound in bounds:
        expected = 1 if bounds.index(bound) >= bounds.index(below) else 0
        assert found["assess_start_lateness_seconds_bucket", (("le", bound),)] == expected
    assert found["assess_start_lateness_seconds_count", ()] == 1


def test_how_things_stand_is_asked_each_time() -> None:
    metrics = Metrics(BUILD)
    now = Standing(running=1, refused=True, workers={"demo": "ready"}, next_start_at={"host": 5.0})
    found = read(metrics, now)
    assert found["assess_running", ()] == 1
    assert found["assess_config_refused", ()] == 1
    assert found["assess_workers", (("distribution", "demo"), ("state", "ready"))] == 1
    assert found["assess_next_start_timestamp_seconds", (("assessment", "host"),)] == 5.0
    found = read(metrics)
    assert found["assess_running", ()] == 0
    assert ("assess_workers", (("distribution", "demo"), ("state", "ready"))) not in found


def test_what_is_no_longer_configured_is_forgotten() -> None:
    metrics = Metrics(BUILD)
    for name in ("kept", "gone"):
        metrics.run_ended(name, complete=True, outcomes={"pass": 1}, seconds=1)
        metrics.skipped(name, "overlap")
    metrics.forget({"kept"})
    text = metrics.text(Standing()).decode()
    assert 'assessment="gone"' not in text
    assert 'assessment="kept"' in text


def test_a_name_with_quotes_and_breaks_stays_a_label() -> None:
    metrics = Metrics(BUILD)
    metrics.skipped('a"b\nassess_running 7', "missed")
    found = read(metrics)
    assert found["assess_skipped_total", (("assessment", 'a"b\nassess_running 7'), ("why", "missed"))] == 1
    assert found["assess_running", ()] == 0


def test_no_directory_of_the_environment_gets_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    metrics = Metrics(BUILD)
    metrics.run_ended("host", complete=True, outcomes={"pass": 1}, seconds=1)
    assert metrics.text(Standing())
    assert list(tmp_path.iterdir()) == []

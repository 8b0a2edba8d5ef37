"""`local-host` finds this host, or nothing when the selector asks for another."""

import pytest

from assess_host_baseline import provider
from assess_host_baseline.formats.text import Malformed
from assess_plugin.selecting import SelectorError
from assess_plugin.testing import PlantedHost, evaluate, evaluation


def test_one_subject_with_labels_of_host_and_runtime(good_host: PlantedHost) -> None:
    (subject,) = evaluate(provider, good_host, labels={"role": "web", "arch": "given"})
    assert (subject.id, subject.type, subject.title) == ("host:web-01", "inventory-item", "web-01")
    assert subject.labels == {"os": "debian", "os-version": "12", "arch": "given", "role": "web"}


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [({}, 1), ({"role": "web"}, 1), ({"os": "debian", "role": "web"}, 1), ({"role": "db"}, 0), ({"absent": "x"}, 0)],
)
def test_labels_match_by_equality(good_host: PlantedHost, wanted: dict[str, str], matches: int) -> None:
    found = evaluate(provider, good_host, selector={"labels": wanted}, labels={"role": "web"})
    assert len(found) == matches


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({"expressions": [{"key": "role", "operator": "in", "values": ["db", "web"]}]}, 1),
        ({"expressions": [{"key": "role", "operator": "not in", "values": ["db", "web"]}]}, 0),
        ({"expressions": [{"key": "retired", "operator": "does not exist"}]}, 1),
        ({"expressions": [{"key": "os", "operator": "exists"}], "labels": {"role": "db"}}, 0),
        ({"ids": ["host:web-01"]}, 1),
    ],
)
def test_expressions_and_ids(good_host: PlantedHost, selector: dict[str, object], matches: int) -> None:
    assert len(evaluate(provider, good_host, selector=selector, labels={"role": "web"})) == matches


def test_another_host_asked_for_by_name_is_told(good_host: PlantedHost) -> None:
    found = evaluation(provider, good_host, selector={"ids": ["host:web-02"]})
    assert found.subjects == ()
    assert found.problems == ("there is no subject 'host:web-02' (did you mean 'host:web-01'?)",)


@pytest.mark.parametrize(
    "selector", [{"label": {}}, {"labels": []}, {"labels": {"role": 1}}, {"labels": {}, "x": 1}, {"query": "role=web"}]
)
def test_a_selector_that_is_not_understood_is_an_error(good_host: PlantedHost, selector: dict[str, object]) -> None:
    with pytest.raises(SelectorError, match="selector"):
        evaluate(provider, good_host, selector=selector)


def test_a_host_without_os_release_has_no_os_label(good_host: PlantedHost) -> None:
    good_host.remove("/usr/lib/os-release")
    (subject,) = evaluate(provider, good_host)
    assert subject.labels == {"arch": "x86_64"}


@pytest.mark.parametrize("name", ["", "\n", "a\x1b[31m", "x" * 65])
def test_a_host_name_that_is_none_is_refused(good_host: PlantedHost, name: str) -> None:
    good_host.plant("/proc/sys/kernel/hostname", name)
    with pytest.raises(Malformed):
        evaluate(provider, good_host)

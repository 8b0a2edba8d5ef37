"""`assess run --subject`: who has the subject is assessed, who has not is left out, and what nobody has is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from assess_core.cli.app import main
from tests.integration.test_runtime import PLUGIN
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import DEMO_SOURCE, demo_manifest, demo_plugin_wheel

SOURCE = DEMO_SOURCE.replace(
    """        subject = Subject(id=f"host:{input.runtime}", type="inventory-item", title=input.runtime)
        return EvaluateResult(subjects=(subject,))
""",
    """        if "fails" in input.selector:
            raise RuntimeError("out of reach")
        names = input.selector["names"]
        subjects = tuple(Subject(id=name, type="inventory-item", title=name) for name in names)
        return EvaluateResult(subjects=subjects, problems=tuple(input.selector.get("problems", ())))
""",
)
MANIFEST = demo_manifest().replace(">=1.0,<2", ">=1.3,<2")
AB, CD = '{ names = ["host:a", "host:b"] }', '{ names = ["host:c", "host:d"] }'
PARTLY = '{ names = ["host:c"], problems = ["row 3: no id"] }'


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    assert "fails" in SOURCE
    return copy_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel(source=SOURCE, manifest=MANIFEST)])


class Site:
    """One runtime, whose assessments a test writes down."""

    def __init__(self, tree: RegistryTree, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._tree, self._directory, self._capsys = tree, directory, capsys

    def _main(self, *arguments: str) -> tuple[int, str, str]:
        place = ("--config", str(self._directory / "assess.toml"), "--state-dir", str(self._directory / "state"))
        code = main([*arguments, *place])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def run(self, selectors: dict[str, str], *arguments: str) -> tuple[int, dict[str, Any], str]:
        """Exit code, what is printed, what is said."""
        head = (
            f'[runtime]\nid = "web-01"\n[registry]\nurl = "{self._tree.root.as_uri()}"\n'
            f'root = "{self._tree.root_metadata}"\ndevelopment = true\n{PLUGIN}'
        )
        entries = (
            f'[[assessments]]\nid = "{name}"\nplugin = "demo"\nprovider = "demo-subjects"\nselector = {selector}\n'
            for name, selector in selectors.items()
        )
        (self._directory / "assess.toml").write_text(head + "".join(entries))
        code, out, err = self._main("run", "--output", "json", *arguments)
        return code, json.loads(out) if out else {}, err

    def recorded(self) -> list[str]:
        """The assessments of all runs in the journal, the newest first."""
        _, out, _ = self._main("results", "list", "--output", "json")
        return [run["assessment"] for run in json.loads(out)["runs"]]


@pytest.fixture
def site(tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    return Site(tree, tmp_path, capsys)


def assessed(document: dict[str, Any]) -> dict[str, set[str]]:
    """Subjects by assessment."""
    found: dict[str, set[str]] = {run["assessment"]: set() for run in document["run"]["assessments"]}
    for result in document["results"]:
        found[result["assessment"]].add(result["subject"]["id"])
    return found


def test_who_has_the_subject_is_assessed_and_who_has_not_is_left_out(site: Site) -> None:
    both = {"one": AB, "two": CD}
    code, document, _ = site.run(both, "--subject", "host:a", "--fail-on", "none")
    assert (code, assessed(document)) == (0, {"one": {"host:a"}})
    assert site.recorded() == ["one"]
    code, document, _ = site.run(both, "--subject", "host:a", "--subject", "host:d", "--fail-on", "none")
    assert (code, assessed(document)) == (0, {"one": {"host:a"}, "two": {"host:d"}})


def test_a_slip_is_refused_and_leaves_nothing_behind(site: Site) -> None:
    both = {"one": AB, "two": CD}
    assert site.run(both, "--fail-on", "none")[0] == 0
    before = site.recorded()
    code, _, said = site.run(both, "--subject", "host:x")
    assert code == 2
    assert "--subject: no assessment has the subject 'host:x'; did you mean 'host:" in said
    code, _, said = site.run(both, "--subject", "host:a", "--subject", "host:x")
    assert (code, "the subject 'host:x'" in said, "the subject 'host:a'" in said) == (2, True, False)
    assert site.recorded() == before


@pytest.mark.parametrize("other", [PARTLY, "{ fails = true }"])
def test_what_may_have_it_and_could_not_say_so_is_incomplete(site: Site, other: str) -> None:
    code, document, _ = site.run({"one": AB, "two": other}, "--subject", "host:x")
    assert (code, assessed(document)) == (4, {"two": set()})
    [run] = document["run"]["assessments"]
    if other == PARTLY:
        assert run["problem"] == (
            "provider 'demo-subjects' found 1 subject, and not what was asked for: 'host:x'; "
            "not all subjects were found: row 3: no id"
        )
    else:
        assert run["problem"].startswith("no subjects: ")
    code, document, _ = site.run({"one": AB, "two": CD}, "--subject", "host:c", "--fail-on", "none")
    assert (code, assessed(document)) == (0, {"two": {"host:c"}})

"""One check id of two distributions: refused where both may be asked for it on one subject, and nowhere else."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from assess_core.assessing.colliding import collisions, shared_checks
from assess_core.config import Config, parse
from assess_core.store import InstalledPlugin
from assess_registry.client import ProjectName

HEAD = '[runtime]\nid = "web-01"\n[registry]\nurl = "file:registry"\nroot = "1.root.json"\n'


def plugin(name: str, *checks: str) -> InstalledPlugin:
    """A distribution with one plugin of its own name."""
    specs = tuple(SimpleNamespace(id=each, plugin=name) for each in checks)
    entries = (SimpleNamespace(kind="plugin", name=name), SimpleNamespace(kind="provider", name=f"{name}-subjects"))
    return cast(
        InstalledPlugin,
        SimpleNamespace(distribution=ProjectName(name), entries=entries, manifest=SimpleNamespace(checks=specs)),
    )


A = plugin("acme", "ssh-root", "acme-only")
B = plugin("best", "ssh-root", "best-only")


def config(*assessments: str) -> Config:
    text = HEAD + "".join(f'[[assessments]]\nid = "of-{index}"\n{each}\n' for index, each in enumerate(assessments))
    return parse(text.encode(), Path("assess.toml"))


def asks(name: str, provider: str = "local-host", **more: str) -> str:
    lines = [f'plugin = "{name}"', f'provider = "{provider}"', *(f"{key} = {value}" for key, value in more.items())]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"provider": "local-host"}, {"provider": "inventory"}),
        ({"checks": '["ssh-*"]'}, {}),
        ({"selector": '{ ids = ["a", "b"] }'}, {"selector": '{ ids = ["b", "c"] }'}),
        ({"selector": '{ ids = ["a"] }'}, {}),
        ({"selector": '{ labels = { os = "linux" } }'}, {"selector": '{ labels = { os = "linux", env = "prod" } }'}),
        ({"selector": '{ labels = { os = "linux" } }'}, {"selector": '{ labels = { env = "prod" } }'}),
        (
            {"selector": '{ labels = { os = "linux" } }'},
            {"selector": '{ labels = { os = "bsd" } }', "provider": "inventory"},
        ),
    ],
)
def test_both_may_be_asked_for_it_on_one_subject(one: dict[str, str], other: dict[str, str]) -> None:
    [said] = collisions(config(asks("acme", **one), asks("best", **other)), (A, B))
    assert said.startswith("assess.toml: assessments[1].checks: 'ssh-root': best has a check of this id")
    assert "acme in assessment 'of-0'" in said


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"checks": '["acme-*"]'}, {}),
        ({}, {"checks": '["best-*"]'}),
        ({}, {"enabled": "false"}),
        ({"selector": '{ ids = ["a"] }'}, {"selector": '{ ids = ["b"] }', "provider": "inventory"}),
        ({"selector": '{ labels = { os = "linux" } }'}, {"selector": '{ labels = { os = "bsd" } }'}),
    ],
)
def test_where_no_subject_can_be_of_both_nothing_is_said(one: dict[str, str], other: dict[str, str]) -> None:
    assert collisions(config(asks("acme", **one), asks("best", **other)), (A, B)) == ()


def test_one_plugin_in_two_assessments_has_one_check() -> None:
    assert collisions(config(asks("acme"), asks("acme")), (A, B)) == ()
    assert collisions(config(asks("acme"), asks("best")), (A, plugin("best", "best-only"))) == ()


def test_of_thousands_that_are_alike_the_first_is_named() -> None:
    named = [asks(who, selector=f'{{ ids = ["host-{n}"] }}') for n in range(500) for who in ("acme", "best")]
    assert len(collisions(config(*named), (A, B))) == 1
    apart = [asks("acme" if n % 2 else "best", selector=f'{{ ids = ["host-{n}"] }}') for n in range(1000)]
    assert collisions(config(*apart), (A, B)) == ()
    assert len(collisions(config(*apart, asks("acme")), (A, B))) == 1


def test_what_two_distributions_have_is_known_whether_or_not_it_is_asked_for() -> None:
    assert list(shared_checks((A, B))) == ["ssh-root"]
    assert [each.distribution for each in shared_checks((A, B))["ssh-root"]] == ["acme", "best"]
    assert not shared_checks((A, plugin("other", "x")))

"""The provider `inventory` in a worker as it will be held at its users': isolated, over the pipe, at full size."""

from dataclasses import replace
from pathlib import Path

import pytest

from assess_plugin.testing import IsolatedPlugin, PlantedHost, load_manifest
from tests.support.checkout import ROOT

SOURCE = ROOT / "contrib/inventory/src"
FILE = "/etc/assess/inventory/hosts.csv"


def test_isolated_it_finds_what_matches_among_a_hundred_thousand_and_tells_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SOURCE))
    manifest = replace(load_manifest(SOURCE / "assess_inventory/assess-plugin.toml"), defaults={"file": FILE})
    host = PlantedHost(tmp_path, manifest=manifest)
    rows = "".join(f"host:{number},{'prod' if number % 50 == 0 else 'test'}\n" for number in range(100_000))
    host.plant(FILE, f"id,label.env\n{rows}")
    with IsolatedPlugin("assess_inventory.provider", name="inventory", kind="provider", manifest=manifest) as isolated:
        found = isolated.evaluation(host, selector={"labels": {"env": "prod"}})
        assert (len(found.subjects), found.problems) == (2000, ())
        assert found.subjects[1].id == "host:50"
        host.plant(FILE, "id,label.env\nhost:a,prod\n,prod\nhost:b\n")
        found = isolated.evaluation(host, selector={"labels": {"env": "prod"}, "ids": ["host:a", "host:z"]})
    assert [subject.id for subject in found.subjects] == ["host:a"]
    assert found.problems == (
        "line 3: it has no id; it is left out",
        "line 4: 1 values for 2 columns; it is left out",
        "there is no subject 'host:z' (did you mean 'host:a'?)",
    )

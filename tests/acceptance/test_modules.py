"""What a plugin's process has loaded: the standard library, pluggy, `assess_plugin`, the plugin, and nothing else.

The sample plugin as it was published is given one more entry point, which looks around when the others have run, and
goes the whole way again: published, verified, installed, assessed.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.sites import Site, make_site, one_document
from tests.support.checkout import Checkout
from tests.support.wheels import WheelBuilder

PACKAGE = "assess_host_baseline"
LOOKS_AROUND = """
import json
import os
import sys
from assess_plugin import ActionOutput, CheckResult, Evidence, Outcome, hookimpl

@hookimpl
def assess_execute(input):
    loaded = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    library = os.path.dirname(os.__file__)
    strangers = {
        name: file
        for name, file in loaded.items()
        if name.partition(".")[0] not in sys.stdlib_module_names or (file and not file.startswith(library + os.sep))
    }
    seen = {"strangers": strangers, "all": len(loaded), "path": sys.path, "library": library}
    said = json.dumps(seen, separators=(",", ":"))
    pieces = [said[at : at + 4000] for at in range(0, len(said), 4000)]
    pieces += [""] * (len(input.checks) - len(pieces))
    results = (CheckResult(check_id=c, outcome=Outcome.PASS, actual=p) for c, p in zip(input.checks, pieces))
    return ActionOutput(results=tuple(results))
"""
CHECKS = tuple(f"modules-{number}" for number in range(4))
"""What a result says is limited: the list is told in pieces."""


def with_another_entry_point(wheel: Path) -> WheelBuilder:
    """The published wheel's files, and one module, one entry point and a few checks more."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name.startswith(f"{PACKAGE}/")}
    manifest = files.pop(f"{PACKAGE}/assess-plugin.toml").decode()
    tables = "".join(
        f'\n[[checks]]\nid = "{check}"\nplugin = "looks-around"\ntitle = "Modules"\nseverity = "info"\n'
        'controls = ["nist-800-53:cm-6"]\nremediation = "None"\n'
        for check in CHECKS
    )
    (version,) = re.findall(r"-(\d[^-]*)-py3", wheel.name)
    return WheelBuilder(
        name="assess-host-baseline",
        version=version,
        files={**files, f"{PACKAGE}/looks_around.py": LOOKS_AROUND},
        manifest=manifest + tables,
        entry_points={
            "assess.plugins": {"host-baseline": f"{PACKAGE}.plugin", "looks-around": f"{PACKAGE}.looks_around"},
            "assess.providers": {"local-host": f"{PACKAGE}.provider"},
        },
    )


@pytest.fixture(scope="module")
def site(ran: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = make_site(ran, tmp_path_factory.mktemp("modules") / "site")
    (wheel,) = (ran.path / "simple-index/files/assess-host-baseline").glob("*/*.whl")
    site.publish(with_another_entry_point(wheel))
    assessments = [{"id": id_, "plugin": id_, "provider": "local-host"} for id_ in ("host-baseline", "looks-around")]
    site.configure(plugins=["assess-host-baseline"], assessments=assessments)
    return site


@pytest.fixture(scope="module")
def seen(site: Site) -> Any:
    """What the entry point saw, in a run of which it was a part."""
    done = site.assess("run", "--output", "json", "--fail-on", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    results = one_document(done.stdout)["results"]
    assert len(results) >= 24 + len(CHECKS)
    pieces = {result["check"]: result["actual"] for result in results if result["check"] in CHECKS}
    return json.loads("".join(pieces[check] for check in CHECKS))


def test_nothing_of_a_stranger_is_loaded(seen: Any) -> None:
    tops = {name.partition(".")[0] for name in seen["strangers"]}
    assert tops == {"assess_plugin", "_assess_pluggy", PACKAGE} | ({"__main__"} & tops)
    assert seen["all"] > len(seen["strangers"]) > 10
    assert f"{PACKAGE}.looks_around" in seen["strangers"]
    assert f"{PACKAGE}.kernel" in seen["strangers"]  # the plugin proper had been loaded by then


def test_what_is_loaded_comes_from_where_it_should(seen: Any, site: Site) -> None:
    (kit,) = filter(Path.is_dir, (site.state / "kits").iterdir())
    (environment,) = filter(Path.is_dir, (site.state / "envs").iterdir())
    for name, file in seen["strangers"].items():
        if name == "__main__":
            continue
        home = environment if name.startswith(PACKAGE) else kit
        assert Path(file).is_relative_to(home), (name, file)


def test_no_test_kit_no_parent_and_no_path_of_ours(seen: Any, site: Site) -> None:
    assert not [name for name in seen["strangers"] if name.startswith("assess_plugin.testing")]
    assert not [entry for entry in seen["path"] if entry.startswith(str(site.place.path))]
    assert "" not in seen["path"]

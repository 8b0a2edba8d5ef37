"""A runtime on a state directory: what `sync` says it did is what it did, and what is recorded stays as it was."""

from pathlib import Path

import pytest

from assess_core.config import Config, parse
from assess_core.delivery.values import Action, Synced
from assess_core.errors import StoreError
from assess_core.results import Run
from assess_core.runtime import Runtime
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import DEMO_SOURCE, demo_manifest, demo_plugin_wheel

PLUGIN = '[[plugins]]\nname = "demo-plugin"\n'
BROKEN = "raise RuntimeError('not today')\n"


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return copy_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel("1.0.0")])


def configured(tree: RegistryTree, tmp_path: Path, *, plugins: str | None = None, development: bool = True) -> Config:
    wanted = plugins if plugins is not None else PLUGIN
    text = f"""
    [runtime]
    id = "web-01"
    [registry]
    url = "{tree.root.as_uri()}"
    root = "{tree.root_metadata}"
    development = {str(development).lower()}
    {wanted}
    [[assessments]]
    id = "demo"
    plugin = "demo"
    provider = "demo-subjects"
    """
    return parse(text.encode(), tmp_path / "assess.toml")


def sync(config: Config, state: Path, *, dry_run: bool = False, offline: bool = False) -> Synced:
    with Runtime(config, state=state) as runtime:
        (line,) = runtime.sync(dry_run=dry_run, offline=offline)
    return line


def test_a_dry_run_says_what_a_sync_then_does(tree: RegistryTree, tmp_path: Path) -> None:
    config, state = configured(tree, tmp_path), tmp_path / "state"
    planned = sync(config, state, dry_run=True)
    assert (planned.action, planned.version) == (Action.WOULD_INSTALL, "1.0.0")
    with Runtime(config, state=state) as runtime:
        assert runtime.installed() == ()
    done = sync(config, state)
    assert (done.action, done.version) == (Action.INSTALLED, "1.0.0")

    assert sync(config, state, dry_run=True).action is Action.PRESENT
    tree.publish(*demo_plugin_wheel("1.1.0"))
    planned = sync(config, state, dry_run=True)
    assert (planned.action, planned.version, planned.previous) == (Action.WOULD_UPGRADE, "1.1.0", "1.0.0")
    done = sync(config, state)
    assert (done.action, done.version, done.previous) == (Action.UPGRADED, "1.1.0", "1.0.0")

    nothing = configured(tree, tmp_path, plugins="")
    assert sync(nothing, state, dry_run=True).action is Action.WOULD_REMOVE
    assert sync(config, state).action is Action.PRESENT
    assert sync(nothing, state).action is Action.REMOVED


def test_offline_uses_what_fits_and_says_so(tree: RegistryTree, tmp_path: Path) -> None:
    config, state = configured(tree, tmp_path), tmp_path / "state"
    assert sync(config, state, offline=True).action is Action.FAILED
    sync(config, state)
    assert sync(config, state, offline=True).action is Action.STALE
    newer = configured(tree, tmp_path, plugins=PLUGIN + 'version = ">=2"\n')
    assert sync(newer, state, offline=True).action is Action.FAILED


def assess(config: Config, state: Path) -> Run:
    with Runtime(config, state=state) as runtime:
        synced = runtime.sync()
        return runtime.assess(runtime.plan(synced), synced=synced)


def test_a_version_that_is_not_asked_for_never_stands_in(tree: RegistryTree, tmp_path: Path) -> None:
    state = tmp_path / "state"
    control = assess(configured(tree, tmp_path), state)
    assert control.results
    assert control.shortcomings() == ()
    unpublished = assess(configured(tree, tmp_path, plugins=PLUGIN + 'version = "==2.0"\n'), state)
    assert unpublished.results == ()
    assert unpublished.exit_code(None) == 4
    assert "demo-plugin" in (unpublished.assessments[0].problem or "")


def test_a_newer_version_that_does_not_start_leaves_the_older_at_work_and_the_run_incomplete(
    tree: RegistryTree, tmp_path: Path
) -> None:
    config, state = configured(tree, tmp_path), tmp_path / "state"
    before = assess(config, state)
    tree.publish(*demo_plugin_wheel("1.1.0", source=BROKEN))
    after = assess(config, state)
    assert {result.plugin.version for result in after.results} == {"1.0.0"}
    assert [result.outcome for result in after.results] == [result.outcome for result in before.results]
    assert after.exit_code(None) == 4
    assert "assessed with demo-plugin 1.0.0" in (after.assessments[0].problem or "")
    assert "not today" in (after.assessments[0].problem or "")


def test_a_journal_that_takes_nothing_is_one_plain_error(tree: RegistryTree, tmp_path: Path) -> None:
    config, state = configured(tree, tmp_path), tmp_path / "state"
    with Runtime(config, state=state) as runtime:
        synced = runtime.sync()
        tasks = runtime.plan(synced)
        runtime.journal._connection.execute("PRAGMA query_only = on")
        with pytest.raises(StoreError, match="may not be written"):
            runtime.assess(tasks, synced=synced)
        assert runtime.journal.runs() == ()


def test_offline_what_was_touched_is_built_again_from_what_was_kept(tree: RegistryTree, tmp_path: Path) -> None:
    config, state = configured(tree, tmp_path), tmp_path / "state"
    sync(config, state)
    with Runtime(config, state=state) as runtime:
        module = runtime.installed()[0].site_packages / "demo_plugin" / "__init__.py"
    before = module.read_bytes()
    module.chmod(0o644)
    module.write_bytes(before + b"\n# touched\n")
    assert sync(config, state, offline=True).action is Action.STALE
    assert module.read_bytes() == before


def test_no_plugin_is_shown_what_the_runtime_keeps(tmp_path: Path) -> None:
    """Whatever it may read: what is known, what is configured, and where another plugin's secrets lie."""
    asks = ("journal.db", "../assess.toml", "../secret", "../other")
    looks = "".join(f'        self._opened(input, "{tmp_path / "state" / ask}"),\n' for ask in asks)
    source = DEMO_SOURCE.replace(
        "    def _check(self, input",
        """    def _opened(self, input, path):
        import os.path
        try:
            input.host.open(os.path.normpath(path)).close()
        except Exception as error:
            return str(error)
        return "opened"

    def _check(self, input""",
    ).replace(
        'if check_id == "demo-kernel":',
        f"""if check_id == "demo-kernel":
            said = "|".join([\n{looks}        ])
            return CheckResult(check_id=check_id, outcome=Outcome.PASS, actual=said)
        if check_id == "":""",
    )
    manifest = demo_manifest(permissions='read = ["/"]\n')
    another = demo_plugin_wheel(
        name="another",
        files={"another/__init__.py": DEMO_SOURCE},
        entry_points={"assess.plugins": {"another": "another:plugin"}},
        manifest=demo_manifest(("another-kernel",), plugin="another", permissions='secrets = ["token"]\n').replace(
            ">=1.0", ">=1.2"
        ),
    )
    registry = copy_registry_tree(
        tmp_path / "registry", plugins=[demo_plugin_wheel("1.0.0", source=source, manifest=manifest), another]
    )
    plugins = f'{PLUGIN}[[plugins]]\nname = "another"\nsecrets = {{ token = "file:{tmp_path}/secret" }}\n'
    config = configured(registry, tmp_path, plugins=plugins)
    for name in ("assess.toml", "secret", "other"):
        (tmp_path / name).write_text("x")
    with Runtime(config, state=tmp_path / "state") as runtime:
        run = runtime.assess(runtime.plan(runtime.sync()))
    (said,) = [result.actual or "" for result in run.results if result.check == "demo-kernel"]
    *hidden, other = said.split("|")
    assert len(hidden) == 3
    for each in hidden:
        assert each.endswith("is the runtime's own, which no plugin is shown")
    assert other == "opened", "the control"

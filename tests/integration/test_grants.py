"""A real plugin from a real registry: it starts with what is granted, and a new version with what was consented to."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assess_core.cli import main
from assess_core.config import Config, parse
from assess_core.delivery import consenting
from assess_core.delivery.values import Action, Synced
from assess_core.errors import ConfigError
from assess_core.results import Run
from assess_core.runtime import Runtime
from assess_core.store import Store
from assess_registry.client import ProjectName
from tests.integration.test_runtime_trust import revoke_release
from tests.support.kills import steps
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import DEMO_CHECKS, DEMO_SOURCE, demo_manifest, demo_plugin_wheel

NAME = ProjectName("demo-plugin")
BEFORE = 'read = ["/proc/sys", "/etc/os-release"]\ncommands = [["uname", "-s"]]\n'
MORE = 'read = ["/proc/sys", "/etc/os-release", "/etc/passwd"]\ncommands = [["uname", "-s"], ["id", "*"]]\n'
ADDED = ("read /etc/passwd", "run id '*'")


def wheel(version: str, permissions: str) -> tuple[str, bytes]:
    return demo_plugin_wheel(version, manifest=demo_manifest(DEMO_CHECKS, permissions=permissions))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """Made once, and copied."""
    return make_registry_tree(tmp_path_factory.mktemp("grants") / "registry", plugins=[wheel("1.0.0", BEFORE)])


@pytest.fixture
def tree(published: RegistryTree, tmp_path: Path) -> RegistryTree:
    return published.copy(tmp_path / "registry")


@pytest.fixture
def configured(tree: RegistryTree, tmp_path: Path) -> Callable[[str], Config]:
    """A configuration with these lines about the plugin."""

    def configure(lines: str = "") -> Config:
        text = f"""
        [runtime]
        id = "web-01"
        [registry]
        url = "{tree.root.as_uri()}"
        root = "{tree.root_metadata}"
        development = true
        [[plugins]]
        name = "demo-plugin"
        {lines}
        [[assessments]]
        id = "demo"
        plugin = "demo"
        provider = "demo-subjects"
        """
        return parse(text.encode(), tmp_path / "assess.toml")

    return configure


Configured = Callable[..., Config]


def sync(config: Config, state: Path, *, dry_run: bool = False, offline: bool = False) -> Synced:
    with Runtime(config, state=state) as runtime:
        (line,) = runtime.sync(dry_run=dry_run, offline=offline)
    return line


def assess(config: Config, state: Path) -> Run:
    with Runtime(config, state=state) as runtime:
        synced = runtime.sync()
        return runtime.assess(runtime.plan(synced), synced=synced)


def consent(config: Config, state: Path, digest: str, version: str = "1.1.0") -> None:
    with Runtime(config, state=state) as runtime:
        consenting.consent("demo-plugin", version, digest=digest, store=runtime.store)


@pytest.fixture
def synced(configured: Configured, tmp_path: Path) -> tuple[Config, Path]:
    """A configuration without a grant, and the state directory into which 1.0.0 was installed by it."""
    config, state = configured(), tmp_path / "state"
    assert sync(config, state).action is Action.INSTALLED
    return config, state


@pytest.fixture
def growing(tree: RegistryTree, synced: tuple[Config, Path]) -> tuple[Config, Path]:
    """And then 1.1.0 was published, which asks for more."""
    tree.publish(*wheel("1.1.0", MORE))
    return synced


def waiting(line: Synced) -> tuple[str, ...]:
    assert line.action is Action.WAITING, line
    assert line.growth is not None
    return line.growth.words


def test_what_is_not_granted_keeps_it_from_starting_unless_it_may_run_with_less(
    configured: Configured, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    narrowed = "grant = { commands = [] }"
    line = sync(configured(narrowed), state)
    assert (line.action, line.version) == (Action.WITHHELD, "1.0.0")
    (sentence,) = line.withheld
    assert f"{tmp_path}/assess.toml: plugins[0].grant.commands: demo-plugin 1.0.0" in sentence
    assert '["uname", "-s"]' in sentence
    assert "plugins[0].run_with_less = true" in sentence
    with pytest.raises(ConfigError, match="which is not granted"):
        assess(configured(narrowed), state)

    control = assess(configured(), state)  # differs in the grant alone
    assert {result.outcome.value for result in control.results} <= {"pass", "fail"}
    less = assess(configured(f"{narrowed}\nrun_with_less = true"), state)
    denied = [use for result in less.results for use in result.provenance if "denied" in use]
    assert {use["denied"]["withheld"] for use in denied} == {f"{tmp_path}/assess.toml: plugins[0].grant.commands"}
    assert not [use for result in control.results for use in result.provenance if "denied" in use]


def test_a_grant_that_is_narrowed_later_stops_what_is_active_too_and_offline(
    configured: Configured, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    assert sync(configured(), state).action is Action.INSTALLED
    narrowed = configured("grant = { read = [] }")
    assert sync(narrowed, state).action is Action.WITHHELD
    with Runtime(narrowed, state=state) as runtime:
        synced = runtime.sync(offline=True)
        with pytest.raises(ConfigError, match=r"grant\.read"):
            runtime.plan(synced)
    assert sync(configured(), state).action is Action.PRESENT


def test_a_version_that_waits_is_not_said_to_be_replaced_by_one_that_may_not_start_either(
    tree: RegistryTree, configured: Configured, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    sync(configured(), state)
    tree.publish(*wheel("1.1.0", MORE))
    line = sync(configured("grant = { commands = [] }"), state)  # 1.0.0 asks for a command, too
    assert (line.action, line.previous) == (Action.WITHHELD, "")
    with pytest.raises(ConfigError, match="which is not granted"):
        assess(configured("grant = { commands = [] }"), state)
    line = sync(configured('grant = { commands = [["uname", "-s"]] }'), state)  # the control: that one it may have
    assert (line.action, line.previous) == (Action.WAITING, "1.0.0")


def test_a_wider_table_changes_nothing_and_is_warned_of(configured: Configured, tmp_path: Path) -> None:
    line = sync(configured('grant = { read = ["/proc/sys", "/etc"] }'), tmp_path / "state")
    assert line.action is Action.INSTALLED
    (warning,) = line.warnings
    assert '"/etc" is more than demo-plugin 1.0.0 asks for' in warning
    assert sync(configured('grant = { read = ["/proc/sys", "/etc/os-release"] }'), tmp_path / "state").warnings == ()


def test_a_version_that_asks_for_more_waits_and_the_one_before_runs_on(
    tree: RegistryTree, configured: Configured, tmp_path: Path
) -> None:
    config, state = configured(), tmp_path / "state"
    assert sync(config, state).action is Action.INSTALLED  # the first one: the file that brings it in consents
    tree.publish(*wheel("1.1.0", MORE))
    planned = sync(config, state, dry_run=True)
    assert planned.action is Action.WOULD_WAIT
    assert planned.growth is not None
    assert planned.growth.words == ADDED
    assert Store(state).consents(NAME).waiting is None

    line = sync(config, state)
    assert waiting(line) == ADDED
    assert (line.version, line.previous) == ("1.1.0", "1.0.0")
    run = assess(config, state)
    assert {result.plugin.version for result in run.results} == {"1.0.0"}
    assert run.shortcomings() == ()
    with Runtime(config, state=state) as runtime:
        (stale,) = runtime.sync(offline=True)
        assert stale.growth == line.growth  # said in each run, also when the registry is out of reach

    assert line.growth is not None
    for wrong in ("0" * 64, line.growth.digest[:-1]):
        with pytest.raises(ConfigError, match=r"this is not what demo-plugin 1\.1\.0 asks for now"):
            consent(config, state, wrong)
    with pytest.raises(ConfigError, match="does not wait for consent"):
        consent(config, state, line.growth.digest, version="1.2.0")
    assert waiting(sync(config, state)) == ADDED
    consent(config, state, line.growth.digest)
    done = sync(config, state)
    assert (done.action, done.version, done.previous) == (Action.UPGRADED, "1.1.0", "1.0.0")
    (given,) = Store(state).consents(NAME).given
    assert (given.version, given.digest) == ("1.1.0", line.growth.digest)
    assert given.at.tzinfo is not None
    assert given.by
    assert sync(config, state).action is Action.PRESENT


@pytest.mark.parametrize("permissions", [BEFORE, 'read = ["/proc/sys/kernel"]\n'])
def test_a_version_that_asks_for_no_more_needs_no_consent(
    tree: RegistryTree, permissions: str, synced: tuple[Config, Path]
) -> None:
    config, state = synced
    tree.publish(*wheel("1.1.0", permissions))
    assert sync(config, state).action is Action.UPGRADED


def test_to_go_back_to_what_ran_before_needs_no_consent(
    tree: RegistryTree, configured: Configured, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    for version, permissions in (("1.1.0", 'read = ["/proc/sys"]\n'), ("0.9.0", MORE)):
        tree.publish(*wheel(version, permissions))
    assert sync(configured('version = "==1.0.0"'), state).action is Action.INSTALLED
    assert sync(configured(), state).version == "1.1.0"  # which asks for less
    back = sync(configured('version = "==1.0.0"'), state)
    assert (back.action, back.version) == (Action.UPGRADED, "1.0.0")
    older = sync(configured('version = "==0.9.0"'), state)  # older, never ran here, and asks for more
    assert (waiting(older), older.previous) == (ADDED, "")
    run = assess(configured('version = "==0.9.0"'), state)  # what is not asked for stands in for nothing
    assert run.results == ()
    assert "nobody has consented" in (run.assessments[0].problem or "")
    assert run.exit_code(None) == 4


def test_the_start_that_is_tried_before_anybody_consents_has_nothing_of_what_is_new(
    tree: RegistryTree, configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, state = configured(), tmp_path / "state"
    monkeypatch.setenv("COMPANY_TOKEN", "correct horse")
    sync(config, state)
    nosy = f'import os\nif "COMPANY_TOKEN" in os.environ:\n    raise RuntimeError("seen")\n{DEMO_SOURCE}'
    manifest = demo_manifest(DEMO_CHECKS, permissions=f'{BEFORE}env = ["COMPANY_TOKEN"]\n')
    tree.publish(*demo_plugin_wheel("1.1.0", source=nosy, manifest=manifest))
    line = sync(config, state)
    assert waiting(line) == ("see variable COMPANY_TOKEN",)  # so it started: the variable was not there
    assert line.growth is not None
    consent(config, state, line.growth.digest)
    done = sync(config, state)  # the control: with consent it is
    assert (done.action, done.previous) == (Action.FAILED, "1.0.0")
    assert "seen" in done.reason


def test_another_wheel_and_another_difference_wait_anew(
    tree: RegistryTree, configured: Configured, growing: tuple[Config, Path]
) -> None:
    config, state = growing
    first = sync(config, state)
    assert first.growth is not None
    consent(config, state, first.growth.digest)
    tree.publish(*wheel("1.1.1", MORE))  # the same difference, in another wheel
    second = sync(config, state)
    assert waiting(second) == ADDED
    assert second.growth is not None
    assert second.growth.digest != first.growth.digest
    with pytest.raises(ConfigError, match=r"this is not what demo-plugin 1\.1\.1 asks for now"):
        consent(config, state, first.growth.digest, version="1.1.1")
    pinned = configured('version = "==1.1.0"')
    assert sync(pinned, state).action is Action.UPGRADED  # the wheel that was consented to
    assert sync(config, state).action is Action.UPGRADED  # and now it asks for no more than that


def test_what_a_table_covers_was_consented_to_by_who_wrote_it(
    tree: RegistryTree, configured: Configured, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    ready = 'grant = { read = ["/proc", "/etc"], commands = [["uname", "-s"], ["id", "*"]] }'
    partly = 'grant = { read = ["/proc", "/etc"] }'
    narrow = 'grant = { read = ["/proc/sys", "/etc/os-release"], commands = [["uname", "-s"]] }'
    sync(configured(ready), state)
    tree.publish(*wheel("1.1.0", MORE))
    assert waiting(sync(configured(partly), state)) == ADDED[1:]
    kept = sync(configured(narrow), state)  # it could never start: the one before runs on, and nobody has to consent
    assert (kept.action, kept.previous, kept.growth, len(kept.withheld)) == (Action.WAITING, "1.0.0", None, 2)
    assert {result.plugin.version for result in assess(configured(narrow), state).results} == {"1.0.0"}
    assert sync(configured(ready), state).action is Action.UPGRADED


def test_with_less_a_new_version_runs_without_what_the_table_withholds(
    tree: RegistryTree, configured: Configured, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    config = configured(
        'grant = { read = ["/proc/sys", "/etc/os-release"], commands = [["uname", "-s"]] }\nrun_with_less = true'
    )
    sync(config, state)
    tree.publish(*wheel("1.1.0", MORE))
    assert sync(config, state).action is Action.UPGRADED
    with Runtime(config, state=state) as runtime:
        (plugin,) = runtime.installed()
        grant = consenting.permitted(plugin, runtime.config, runtime.store).grant
    assert not grant.permissions.allows_read("/etc/passwd")
    assert grant.permissions.allows_read("/proc/sys/kernel")


def test_a_lost_environment_does_not_make_the_next_version_the_first(growing: tuple[Config, Path]) -> None:
    config, state = growing
    with Runtime(config, state=state) as runtime:
        module = runtime.installed()[0].site_packages / "demo_plugin" / "__init__.py"
    module.chmod(0o644)
    module.write_bytes(module.read_bytes() + b"\n# touched\n")
    line = sync(config, state)
    assert waiting(line) == ADDED
    assert line.previous == "1.0.0"  # built again
    assert {result.plugin.version for result in assess(config, state).results} == {"1.0.0"}
    assert Store(state).consents(NAME).waiting is not None


def test_what_the_file_names_again_is_brought_in_for_the_first_time_and_who_consented_stays_known(
    growing: tuple[Config, Path],
) -> None:
    config, state = growing
    line = sync(config, state)
    assert line.growth is not None
    consent(config, state, line.growth.digest)
    without = config.model_copy(update={"plugins": (), "assessments": ()})
    assert sync(without, state).action is Action.REMOVED
    left = Store(state).consents(NAME)
    assert (left.baseline, left.ran, left.waiting) == (None, (), None)
    assert [each.digest for each in left.given] == [line.growth.digest]
    assert sync(config, state).action is Action.INSTALLED


def test_a_state_directory_of_an_older_release_has_its_baseline_from_what_runs(
    tree: RegistryTree, synced: tuple[Config, Path]
) -> None:
    config, state = synced
    Store(state).layout.consents(NAME).unlink()
    tree.publish(*wheel("1.1.0", MORE))
    assert waiting(sync(config, state)) == ADDED


def test_a_record_that_cannot_be_read_lets_nothing_new_start_and_the_old_one_run(
    tree: RegistryTree, synced: tuple[Config, Path]
) -> None:
    config, state = synced
    path = Store(state).layout.consents(NAME)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"baseline": "everything"}))
    tree.publish(*wheel("1.1.0", MORE))
    line = sync(config, state)
    assert (line.action, line.previous) == (Action.FAILED, "1.0.0")
    assert str(path) in line.reason
    run = assess(config, state)
    assert {result.plugin.version for result in run.results} == {"1.0.0"}
    assert run.exit_code(None) == 4


def test_what_waits_does_not_keep_what_was_revoked(tree: RegistryTree, growing: tuple[Config, Path]) -> None:
    config, state = growing
    sync(config, state)
    revoke_release(tree)
    line = sync(config, state)
    assert (line.action, line.previous) == (Action.REFUSED, "")
    assert line.growth is not None
    consent(config, state, line.growth.digest)
    assert sync(config, state).action is Action.UPGRADED


def test_kill_9_anywhere_around_a_consent_leaves_one_of_two_versions_at_work(growing: tuple[Config, Path]) -> None:
    config, state = growing
    line = sync(config, state)
    assert line.growth is not None
    digest = line.growth.digest
    for step in steps(lambda: consent(config, state, digest), lambda: None, every=3):
        assert step
        found = Store(state).consents(NAME)
        assert found.waiting is not None
        active = Store(state).find(NAME)
        assert active is not None
        assert active.version == "1.0.0"
        if found.given:
            break
    consent(config, state, digest)
    assert len(Store(state).consents(NAME).given) == 1
    installed = next(each.plugin for each in Store(state).records() if each.plugin.version == "1.1.0")
    for _ in steps(lambda: Store(state).activate(installed), lambda: None, every=3):
        active = Store(state).find(NAME)
        assert active is not None
        if active.version == "1.1.0":
            break
        assert sync(config, state, dry_run=True).action in (Action.WOULD_UPGRADE, Action.PRESENT)
    assert sync(config, state).action in (Action.UPGRADED, Action.PRESENT)
    assert sync(config, state).action is Action.PRESENT


def test_a_secret_needs_a_source_and_a_source_a_secret(
    tree: RegistryTree, configured: Configured, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    asking = demo_manifest(DEMO_CHECKS, permissions=f'{BEFORE}secrets = ["api-token"]\n').replace(">=1.0", ">=1.2")
    tree.publish(*demo_plugin_wheel("2.0.0", manifest=asking))
    line = sync(configured(), state)
    assert line.action is Action.WITHHELD
    (sentence,) = line.withheld
    assert 'plugins[0].secrets: demo-plugin 2.0.0 asks for the secret "api-token"' in sentence
    given = 'secrets = { "api-token" = "env:API_TOKEN" }'
    assert sync(configured(given), state).action is Action.INSTALLED
    assert assess(configured(given), state).results
    wrong = configured('secrets = { "api-token" = "env:API_TOKEN", "api-tokne" = "env:API_TOKEN" }')
    with pytest.raises(ConfigError, match=r"\[0\]\.secrets\.api-tokne: unknown secret .* did you mean 'api-token'"):
        assess(wrong, state)


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("demo-plugin", "expected NAME==VERSION"),
        ("demo-plugin==", "expected NAME==VERSION"),
        ("==1.1.0", "argument: "),
        ("../../etc==1.1.0", "argument: "),
        ("Demo_Plugin==1.1.0", "argument: "),
        ("demo-plugin==1.1.0\x1b[2J", "does not wait for consent"),
        ("another==1.1.0", "does not wait for consent"),
        ("demo-plugin==1.0.0", "does not wait for consent"),
    ],
)
def test_what_cannot_be_consented_to_is_a_mistake_and_changes_nothing(
    release: str, said: str, configured: Configured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, state = configured(), tmp_path / "state"
    file = tmp_path / "assess.toml"
    file.write_text(LINES.format(registry=config.registry.url, root=config.registry.root))  # type: ignore[union-attr]
    assert (
        main(["plugins", "consent", release, "--to", "0" * 64, "--config", str(file), "--state-dir", str(state)]) == 2
    )
    out, err = capsys.readouterr()
    assert said in err
    assert "\x1b" not in out + err
    assert not (state / "consents").exists()


LINES = """
[registry]
url = "{registry}"
root = "{root}"
development = true
[[plugins]]
name = "demo-plugin"
"""


def test_warnings_are_said_unless_quiet_and_what_waits_is_always_said(
    tree: RegistryTree, configured: Configured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, file = configured(), tmp_path / "assess.toml"
    text = LINES.format(registry=config.registry.url, root=config.registry.root)  # type: ignore[union-attr]
    file.write_text(text + 'grant = { env = ["HTTPS_PROXY"] }\n')
    argv = ["sync", "--config", str(file), "--state-dir", str(tmp_path / "state")]
    warning = '"HTTPS_PROXY" is more than demo-plugin 1.0.0 asks for'
    assert main(argv) == 0
    assert warning in capsys.readouterr().err
    assert main([*argv, "--quiet"]) == 0
    assert warning not in capsys.readouterr().err
    tree.publish(*wheel("1.1.0", MORE))
    assert main([*argv, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert "1.1.0 waits for consent, and 1.0.0 runs on" in err
    assert "waiting" in out
    assert main(["plugins", "list", *argv[1:]]) == 0
    assert "1.1.0" in capsys.readouterr().out
    assert main(["plugins", "show", "demo-plugin", *argv[1:]]) == 0
    shown = capsys.readouterr().out
    assert "1.1.0: read /etc/passwd" in shown
    assert "assess plugins consent demo-plugin==1.1.0 --to " in shown

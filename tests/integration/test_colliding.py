"""Two real plugins with a check of one id: what asks both for it is refused, and whoever looks is told."""

from pathlib import Path

import pytest

from assess_core.cli.app import main
from tests.integration.test_runtime import PLUGIN
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import DEMO_SOURCE, demo_manifest, demo_plugin_wheel

OTHER = demo_plugin_wheel(
    name="other-plugin",
    files={"other_plugin/__init__.py": DEMO_SOURCE},
    manifest=demo_manifest(("demo-greeting", "other-one"), plugin="other"),
    entry_points={
        "assess.plugins": {"other": "other_plugin:plugin"},
        "assess.providers": {"other-subjects": "other_plugin:provider"},
    },
)
BOTH = f'{PLUGIN}[[plugins]]\nname = "other-plugin"\n'
DEMO = '[[assessments]]\nid = "demo"\nplugin = "demo"\nprovider = "demo-subjects"\n'
ASKS_OTHER = '[[assessments]]\nid = "other"\nplugin = "other"\nprovider = "demo-subjects"\n'


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return copy_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel("1.0.0"), OTHER])


def test_one_check_id_of_two_plugins_is_refused_where_both_are_asked_for_it(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def assess(*verb: str, checks: str = '["*"]') -> tuple[int, str]:
        config = tmp_path / "assess.toml"
        config.write_text(
            f'[runtime]\nid = "web-01"\n[registry]\nurl = "{tree.root.as_uri()}"\nroot = "{tree.root_metadata}"\n'
            f"development = true\n{BOTH}{DEMO}{ASKS_OTHER}checks = {checks}\n"
        )
        code = main([*verb, "--config", str(config), "--state-dir", str(tmp_path / "state")])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    assert assess("sync")[0] == 0
    code, said = assess("run", "--assessment", "demo")
    assert code == 2
    assert "assessments[1].checks: 'demo-greeting': other-plugin has a check of this id, and so has demo-plugin" in said
    code, said = assess("doctor")
    assert code == 1
    assert "'demo-greeting': other-plugin has a check of this id" in said

    code, said = assess("run", "--output", "json", checks='["other-*"]')
    assert code in (0, 3)
    assert "other-one" in said
    code, said = assess("doctor", checks='["other-*"]')
    assert "has a check of this id" not in said
    code, said = assess("explain", "demo-greeting", checks='["other-*"]')
    assert (code, "other-plugin 1.0.0" in said) == (0, True)

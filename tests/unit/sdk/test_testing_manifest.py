"""A plugin's own manifest, as far as tests ask about it: permitted by the one set of rules there is."""

from pathlib import Path

from assess_plugin.permissions import Permissions
from assess_plugin.testing import load_manifest
from assess_registry import manifest as registry


def test_the_kit_and_the_registry_judge_by_the_same_rules() -> None:
    assert registry.Permissions is Permissions


def test_a_manifest_is_read_for_what_a_test_asks(tmp_path: Path) -> None:
    path = tmp_path / "assess-plugin.toml"
    path.write_text(
        '[[checks]]\nid = "a"\nplugin = "p"\n[[checks]]\nid = "b"\nplugin = "q"\n[[checks]]\nid = "c"\nplugin = "p"\n'
        "[settings.depth]\ntype = 'integer'\ndefault = 3\n[settings.token]\ntype = 'string'\n"
        '[permissions]\ncommands = [["uname", "-m"]]\nread = ["/etc"]\n'
    )
    manifest = load_manifest(path)
    assert manifest.checks == {"p": ("a", "c"), "q": ("b",)}
    assert manifest.defaults == {"depth": 3}
    assert manifest.permissions == Permissions(commands=(("uname", "-m"),), read=("/etc",))

"""The files of a new project: text with `@@{word}` in it, shipped beside this module.

Templates end in `.tmpl`, so that no tool takes them for sources of ours; the others are copied as they are. Which
becomes which file is written down here.
"""

from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import Literal

from assess_registry.scaffolding.naming import NewName

Kind = Literal["plugin", "provider"]
KINDS: tuple[Kind, ...] = ("plugin", "provider")

_COMMON = {
    ".github/workflows/plugin.yml": "common/plugin.yml",
    ".gitignore": "common/gitignore.tmpl",
    "CHANGELOG.md": "common/CHANGELOG.md.tmpl",
    "LICENSE": "common/LICENSE.tmpl",
    "README.md": "common/README.md.tmpl",
    "pyproject.toml": "common/pyproject.toml.tmpl",
    "tox.ini": "common/tox.ini.tmpl",
    "src/MODULE/__init__.py": "common/init.py.tmpl",
    "src/MODULE/py.typed": "common/py.typed.tmpl",
}
_OF_KIND: Mapping[Kind, Mapping[str, str]] = {
    "plugin": {
        "src/MODULE/assess-plugin.toml": "plugin/assess-plugin.toml.tmpl",
        "src/MODULE/plugin.py": "plugin/plugin.py.tmpl",
        "src/MODULE/login_defs.py": "plugin/login_defs.py.tmpl",
        "tests/test_plugin.py": "plugin/test_plugin.py.tmpl",
        "tests/test_manifest.py": "plugin/test_manifest.py.tmpl",
    },
    "provider": {
        "src/MODULE/assess-plugin.toml": "provider/assess-plugin.toml.tmpl",
        "src/MODULE/provider.py": "provider/provider.py.tmpl",
        "src/MODULE/passwd.py": "provider/passwd.py.tmpl",
        "tests/test_provider.py": "provider/test_provider.py.tmpl",
        "tests/test_manifest.py": "provider/test_manifest.py.tmpl",
    },
}
_WORDS: Mapping[Kind, Mapping[str, str]] = {
    "plugin": {
        "group": "assess.plugins",
        "summary": "Whether passwords have to be changed on a Linux host",
        "docstring": "Assesses whether passwords have to be changed on a Linux host.",
        "first_change": "One check: passwords have to be changed from time to time. It reads `/etc/login.defs`.",
        "readme_about": "An assess plugin with one check, to begin with: passwords of a Linux host have to be changed "
        "from time to\ntime. Replace it with what you came to assess.",
        "manifest_holds": "checks, settings, permissions",
        "readme_files": "      plugin.py                    the checks: short functions\n"
        "      login_defs.py                what a file means: bytes in, values out, no host",
    },
    "provider": {
        "group": "assess.providers",
        "summary": "The accounts of people on a Linux host",
        "docstring": "Finds the accounts of people on a Linux host.",
        "first_change": "Finds the accounts of people. It reads `/etc/passwd`.",
        "readme_about": "An assess provider, to begin with: it finds the accounts of people on a Linux host, for "
        "plugins to assess.\nReplace them with what you came to find.",
        "manifest_holds": "settings, permissions",
        "readme_files": "      provider.py                  which subjects a selector matches\n"
        "      passwd.py                    what a file means: bytes in, values out, no host",
    },
}


class _Words(Template):
    """`@@` begins nothing in the languages of the templates; `$`, `{` and `%` all do."""

    delimiter = "@@"


def project_files(name: NewName, kind: Kind) -> dict[str, bytes]:
    """Path -> content of every file of a new project, all of them UTF-8; the same bytes for the same name."""
    words = {**_WORDS[kind], "kind": kind, "project": name.project, "module": name.module, "title": name.title}
    sources = files(__package__ or __name__) / "templates"
    made = {}
    for path, source in sorted({**_COMMON, **_OF_KIND[kind]}.items()):
        text = (sources / source).read_text("utf-8")
        filled = _Words(text).substitute(words) if source.endswith(".tmpl") else text
        made[path.replace("MODULE", name.module)] = filled.encode()
    return made

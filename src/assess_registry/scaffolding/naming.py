"""May a new project be called so: by PEP 503, by Python, and by the registry it is meant for?

What is refused here would be refused later, when more depends on it: on building, on import, or by an audit.
"""

import keyword
import re
from dataclasses import dataclass

from assess_registry.audit.checks.naming import findings_of
from assess_registry.audit.context import Context
from assess_registry.errors import ConfigError
from assess_registry.names import ProjectName, normalize_project, parse_project
from assess_registry.wheel.names import name_problems
from assess_registry.wheel.standard import STANDARD

MAX_NEW_NAME = 60
"""Characters: ids of checks begin with the name, and may have 100."""

UNOWNED = "unknown-publisher"
"""The one finding about a name that its author cannot act on: a registry gives names to publishers by and by."""

_TAKEN_MODULES = frozenset(
    [
        "assess",
        "assess_core",
        "assess_plugin",
        "assess_registry",
        "pluggy",
        "pytest",
        "src",
        "tests",
        "conftest",
        "test",
        "site",
        "pip",
        "setuptools",
        "distutils",
        "wheel",
        "pkg_resources",
    ]
)
"""Top-level names that are somebody else's wherever a plugin runs, is installed or is tested; whose an audit takes them
to be, too."""

_MODULE = re.compile(r"[a-z][a-z0-9_]*\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewName:
    """A name that a project can have: as distributions are called, as it is imported, and for people."""

    project: ProjectName
    module: str

    @property
    def title(self) -> str:
        """The name in words, as a title begins."""
        words = self.project.replace("-", " ")
        return words[0].upper() + words[1:]


def parse_new_name(text: str, context: Context) -> NewName:
    """The name of a project that does not exist yet.

    Args:
        text: the project's name, in normal form.
        context: reserved and published names, and whose names are whose.

    Raises:
        ConfigError: it is no normalised name, cannot be imported, or is reserved or like another one.
    """
    project = _project(text)
    module = project.replace("-", "_")
    problems = [*_problems_of_module(module), *_problems_of_name(project, context)]
    if problems:
        raise ConfigError(*(f"{project}: {problem}; choose another name" for problem in problems))
    return NewName(project=project, module=module)


def _project(text: str) -> ProjectName:
    try:
        project = parse_project(text)
    except ValueError as error:
        raise ConfigError(f"{error}{_hint(text)}") from error
    if len(project) > MAX_NEW_NAME:
        raise ConfigError(f"{project}: has {len(project)} characters, more than {MAX_NEW_NAME}: choose a shorter name")
    return project


def _hint(text: str) -> str:
    """The name that was probably meant, where what was typed differs in nothing but its spelling."""
    if re.fullmatch(r"[A-Za-z0-9]+([._-]+[A-Za-z0-9]+)*", text, re.ASCII):
        try:
            return f": write {normalize_project(text)!r}"
        except ValueError:
            return ""
    return ": lower-case letters and digits, joined by single '-'"


def _problems_of_module(module: str) -> list[str]:
    problems = []
    if not _MODULE.match(module):
        problems.append(f"its package would be {module!r}, which cannot be imported: it has to begin with a letter")
    if keyword.iskeyword(module) or keyword.issoftkeyword(module):
        problems.append(f"its package would be {module!r}, a word of Python")
    if module in STANDARD:
        problems.append(f"its package would be {module!r}, which is one of the standard library")
    problems += [f"its package would be {module!r}, of which {problem}" for problem in name_problems(module)]
    if module in _TAKEN_MODULES:
        problems.append(f"its package would be {module!r}, which is taken wherever a plugin runs or is tested")
    return problems


def _problems_of_name(project: ProjectName, context: Context) -> list[str]:
    found = [each.message for each in findings_of(project, context) if each.id != UNOWNED]
    if project in context.published:
        found.append(f"a project called {project} is published already")
    return found

"""A new project on disk: all of it, or nothing.

It is written beside where it will be, under a hidden name, and gets its own name at last, by one `rename`. That puts a
directory over an empty one at most, so of two who begin the same project at the same moment one is refused.
"""

import contextlib
import errno
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from assess_registry.audit.context import Context
from assess_registry.config import Policy, load_config
from assess_registry.errors import ConfigError
from assess_registry.files import atomic_write, sync_directory
from assess_registry.index.tree import Tree
from assess_registry.names import ProjectName
from assess_registry.scaffolding.contents import Kind, project_files
from assess_registry.scaffolding.naming import parse_new_name


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaffoldReport:
    """What there is now.

    Attributes:
        project: its name, which is also that of its one entry point.
        module: what it is imported as.
        directory: where it lies.
        files: relative to that, in order.
    """

    project: ProjectName
    module: str
    kind: Kind
    directory: Path
    files: tuple[str, ...]


def scaffold(name: str, *, kind: Kind = "plugin", to: Path | None = None, index: Path | None = None) -> ScaffoldReport:
    """A project of this name is in a new directory of this name.

    Args:
        name: in the normal form of PEP 503.
        kind: whether it assesses subjects or finds them.
        to: the directory to make it in; the current one unless given.
        index: root of the registry whose reserved and published names count; the default policy's alone without.

    Raises:
        ConfigError: it cannot be called so, there is something of that name already, or `to` is no directory.
        OSError: it could not be written; nothing is left of it.
    """
    new = parse_new_name(name, _context(index))
    contents = project_files(new, kind)
    parent = Path.cwd() if to is None else to
    if not parent.is_dir():
        raise ConfigError(f"{parent}: no directory: expected the one in which {new.project} is to be made")
    target = parent / new.project
    _write(contents, target)
    return ScaffoldReport(project=new.project, module=new.module, kind=kind, directory=target, files=tuple(contents))


def _context(index: Path | None) -> Context:
    if index is None:
        policy = Policy()
        return Context(reserved=policy.reserved, reserved_prefixes=policy.reserved_prefixes)
    config = load_config(index)
    return Context(
        publishers=tuple((each.name, each.projects) for each in config.publishers),
        published=frozenset(Tree(index).projects()),
        reserved=config.policy.reserved,
        reserved_prefixes=config.policy.reserved_prefixes,
    )


def _write(contents: dict[str, bytes], target: Path) -> None:
    if os.path.lexists(target):
        raise _exists(target)
    staging = target.with_name(f".{target.name}-{secrets.token_hex(8)}")
    staging.mkdir()
    try:
        for name, data in contents.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, data)
        _rename(staging, target)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong first is what is told
            shutil.rmtree(staging)
        raise
    sync_directory(target.parent)


def _rename(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):  # somebody was quicker
            raise _exists(target) from error
        raise


def _exists(target: Path) -> ConfigError:
    return ConfigError(f"{target}: is there already, and nothing is ever written over: choose another name or place")

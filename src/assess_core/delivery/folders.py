"""Where each distribution comes from: the registry, or a folder of plugins that the configuration names.

An entry with `dir` and without `name` stands for every plugin of its folder; every entry with `dir` has its whole
folder verified, whichever of its plugins it is about. One distribution comes from one place: a plugin that turns up in
a folder does not take the place of what another entry asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assess_core.config import Config, PluginConfig
from assess_core.store import InstalledPlugin, target_of
from assess_registry.client import ConfigError, ProjectName, Registry, RegistryError, Target, TrustError
from assess_registry.folder import Candidates, FolderPlugin, folder_registry, open_folder, open_plugin, projects_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One distribution that must be installed.

    Attributes:
        plugin: the entry it is wanted by.
        found: of a folder's: what was verified there; None when the folder does not have it.
    """

    name: ProjectName
    plugin: PluginConfig
    found: FolderPlugin | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedFolder:
    """A folder that cannot be used.

    Attributes:
        name: for people: the distribution its entry is about, or the folder.
    """

    name: str
    refusal: TrustError


def wanted(
    config: Config, *, target: Target, candidates: Candidates | None = None
) -> tuple[Wanted | RefusedFolder, ...]:
    """What every entry stands for, in their order; folders are read and verified now (`folder.open_folder`).

    Raises:
        ConfigError: a folder, or the directory of its keys, is not there.
        OSError: something in a folder may not be read.
    """
    opened: dict[tuple[Path, Path], tuple[FolderPlugin, ...] | TrustError] = {}
    found: list[Wanted | RefusedFolder] = []
    for entry in config.plugins:
        keys = entry.trusted_keys
        if entry.dir is None or keys is None:
            found += [Wanted(name=entry.name, plugin=entry)] if entry.name is not None else []
            continue
        place = (entry.dir, keys)
        if place not in opened:
            opened[place] = _opened(*place, target, candidates)
        contents = opened[place]
        if isinstance(contents, TrustError):
            found.append(RefusedFolder(name=entry.name or str(entry.dir), refusal=contents))
        else:
            found += _from_folder(entry, contents, config.plugins)
    return tuple(found)


def entry_of(config: Config, distribution: ProjectName) -> PluginConfig | None:
    """The entry that asks for this distribution, going by the names in the folders; nothing is verified.

    One that names it outranks one that is about all of a folder.
    """
    named = next((entry for entry in config.plugins if entry.name == distribution), None)
    return named or next((entry for entry in config.plugins if _asks_for(entry, distribution)), None)


def keys_for(entry: PluginConfig) -> Registry | None:
    """The trusted keys of an entry's folder, as what verifies again wants them; None for an entry of the registry.

    Raises:
        ConfigError, TrustError: the directory of keys is not there, or others can change it.
    """
    if entry.dir is None or entry.trusted_keys is None:
        return None
    return folder_registry(entry.dir, trusted_keys=entry.trusted_keys)


def holds(entry: PluginConfig, plugin: InstalledPlugin) -> bool:
    """Whether the entry's folder holds this very wheel, proven by its keys now; what cannot be proven is not held."""
    if entry.dir is None or entry.trusted_keys is None:
        return False
    targets = (target_of(plugin.interpreter),)
    try:
        with folder_registry(entry.dir, trusted_keys=entry.trusted_keys) as keys:
            found = open_plugin(entry.dir / plugin.distribution, plugin.distribution, registry=keys, targets=targets)
    except (RegistryError, OSError):  # a sync says what is wrong with it
        return False
    return found.verified.inspected.sha256 == plugin.sha256


def _opened(
    folder: Path, keys: Path, target: Target, candidates: Candidates | None
) -> tuple[FolderPlugin, ...] | TrustError:
    try:
        return open_folder(folder, trusted_keys=keys, target=target, candidates=candidates)
    except TrustError as refusal:
        return refusal


def _from_folder(
    entry: PluginConfig, contents: Sequence[FolderPlugin], plugins: Sequence[PluginConfig]
) -> list[Wanted | RefusedFolder]:
    by_name = {plugin.project: plugin for plugin in contents}
    if entry.name is not None:
        return [Wanted(name=entry.name, plugin=entry, found=by_name.get(entry.name))]
    found: list[Wanted | RefusedFolder] = []
    for name, plugin in by_name.items():
        others = [other for other in plugins if other is not entry and _asks_for(other, name)]
        if any(other.dir != entry.dir for other in others):
            found.append(RefusedFolder(name=name, refusal=_taken(entry, name)))
        elif not others:  # else an entry of its own names it, with its settings
            found.append(Wanted(name=name, plugin=entry, found=plugin))
    return found


def _asks_for(entry: PluginConfig, name: ProjectName) -> bool:
    if entry.name is not None or entry.dir is None:
        return entry.name == name
    return name in _projects(entry.dir)


def _projects(folder: Path) -> tuple[ProjectName, ...]:
    """None of a folder that cannot be used; whoever verifies it says why."""
    try:
        return projects_of(folder)
    except (ConfigError, TrustError, OSError):
        return ()


def _taken(entry: PluginConfig, name: ProjectName) -> TrustError:
    return TrustError(
        f"it holds {name}, which another entry of the configuration takes from elsewhere",
        step="folder",
        thing=str(entry.dir),
        expected=f"{name} from one place",
        got="two",
        next_step="find out who put it there; remove it, or the other entry",
    )

"""Would a plugin run here, and why not: asked without installing anything.

    for each in compat(config, registry=registry, store=store, interpreters=interpreters, kit_of=kits.name):
        each.runs, each.problems

Six things can be in the way: no Python of this machine that its lock serves, a plugin API that this runtime does not
have, permissions that the configuration does not grant, consent that nobody gave, that it failed here, and that it is
quarantined (`held.py`). What is not installed is fetched and verified in memory, as a dry run of `sync` does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from assess_core.clock import utc_now
from assess_core.config import Config
from assess_core.delivery.admission import admit, asking_of
from assess_core.delivery.choosing import Chosen, candidates_of, choose, interpreter_for, served_before
from assess_core.delivery.folders import RefusedFolder, Wanted, wanted
from assess_core.delivery.held import KitOf, against_release
from assess_core.delivery.values import specifier_of
from assess_core.errors import StoreError
from assess_core.store import InstalledPlugin, Interpreter, Interpreters, Store, target_of
from assess_plugin.api import ApiError, served_api
from assess_registry.client import (
    ProjectName,
    Registry,
    RegistryError,
    Sha256,
    TrustError,
    UnservedError,
    VerifiedWheel,
    fetch,
    resolve,
    verify,
)
from assess_registry.folder import FolderPlugin


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonHere:
    """One Python of this machine, and whether the plugin would run under it.

    Attributes:
        problem: why not; empty when it would.
    """

    path: Path
    version: str
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compat:
    """What was found about one plugin.

    Attributes:
        version: that would be installed; empty when there is none.
        api: range of the plugin API that it was written for; empty when that could not be read.
        python: the Python it would run under; None when there is none.
        pythons: every one of this machine that was asked.
        problems: why it would not run, one sentence each.
    """

    distribution: str
    version: str = ""
    api: str = ""
    python: PythonHere | None = None
    pythons: tuple[PythonHere, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether it would run here as things are."""
        return not self.problems


def compat(
    config: Config,
    *,
    registry: Registry | None,
    store: Store,
    interpreters: Interpreters,
    kit_of: KitOf,
    asked: Requirement | None = None,
) -> tuple[Compat, ...]:
    """Each plugin of the configuration, in its order; or the one that is asked about, which need not be in it.

    A plugin that cannot be looked at has that as its problem.

    Raises:
        ConfigError: a folder of plugins, or the directory of its keys, is not there; what is asked about is no
            requirement of a registry's, or there is no registry.
    """
    look = _Look(config=config, registry=registry, store=store, interpreters=interpreters, kit_of=kit_of)
    if asked is not None:
        return (look.in_registry(asked),)
    candidates = candidates_of(store, interpreters)
    return tuple(map(look.at, wanted(config, target=target_of(interpreters.own), candidates=candidates)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    config: Config
    registry: Registry | None
    store: Store
    interpreters: Interpreters
    kit_of: KitOf

    def at(self, each: Wanted | RefusedFolder) -> Compat:
        if isinstance(each, RefusedFolder):
            return Compat(distribution=each.name, problems=(str(each.refusal),))
        if each.plugin.dir is not None:
            return self._in_folder(each.name, each.found)
        try:
            pin = self.store.choices(each.name).pin
        except (StoreError, TrustError) as error:
            return Compat(distribution=each.name, problems=(str(error),))
        return self.in_registry(Requirement(f"{each.name}{specifier_of(each.plugin, pin)}"))

    def in_registry(self, requirement: Requirement) -> Compat:
        if self.registry is None:
            return Compat(distribution=requirement.name, problems=("no registry is configured",))
        try:
            pythons = tuple(self._asked(requirement, self.registry))
            before = served_before(ProjectName(canonicalize_name(requirement.name)), self.store)
            chosen = choose(requirement, registry=self.registry, interpreters=self.interpreters, before=before)
        except UnservedError as refusal:
            return Compat(distribution=requirement.name, pythons=pythons, problems=(str(refusal),))
        except (RegistryError, StoreError) as error:
            return Compat(distribution=requirement.name, problems=(str(error),))
        try:
            wheel = self._known(chosen) or verify(
                fetch(chosen.resolved, registry=self.registry), registry=self.registry, target=chosen.target
            )
        except (RegistryError, StoreError) as error:
            return Compat(
                distribution=chosen.resolved.project,
                version=chosen.resolved.version,
                pythons=pythons,
                problems=(str(error),),
            )
        return self._judged(wheel, chosen.resolved.lock.sha256, chosen.interpreter, pythons)

    def _asked(self, requirement: Requirement, registry: Registry) -> Iterator[PythonHere]:
        for found in self.interpreters.found():
            interpreter = found.interpreter
            if interpreter is None:
                yield PythonHere(path=found.path, version=found.version, problem=found.problem)
                continue
            try:
                resolve(requirement, registry=registry, target=target_of(interpreter))
                problem = ""
            except UnservedError as refusal:
                problem = refusal.what + (f": it wants {refusal.expected}" if refusal.step == "python" else "")
            yield PythonHere(path=interpreter.path, version=interpreter.version, problem=problem)

    def _in_folder(self, name: str, found: FolderPlugin | None) -> Compat:
        if found is None:
            return Compat(distribution=name, problems=("its folder does not hold it",))
        under = interpreter_for(found, self.store, self.interpreters)
        python = PythonHere(path=under.path, version=under.version)
        return self._judged(found.verified, found.lock.sha256, under, (python,))

    def _known(self, chosen: Chosen) -> InstalledPlugin | None:
        """The same wheel and lock, installed for the same interpreter: nothing has to be fetched to look at it."""
        resolved = chosen.resolved
        return self.store.installed(resolved.lock.sha256, resolved.sha256, chosen.interpreter)

    def _judged(
        self,
        wheel: InstalledPlugin | VerifiedWheel,
        lock_sha256: Sha256,
        interpreter: Interpreter,
        pythons: Sequence[PythonHere],
    ) -> Compat:
        asking = asking_of(wheel)
        manifest = wheel.manifest if isinstance(wheel, InstalledPlugin) else wheel.inspected.manifest
        assert manifest is not None  # noqa: S101  a plugin has one
        problems = []
        try:
            served_api(manifest.api.contains, str(manifest.api))
        except ApiError as error:
            problems.append(str(error))
        try:
            admitted = admit(self.config, asking, self.store.consents(asking.distribution))
            problems += admitted.refusals
            if admitted.growth:
                words = "; ".join(admitted.growth.words)
                problems.append(f"it asks for more than {admitted.growth.since}, and nobody has consented: {words}")
            problems += against_release(
                asking.distribution,
                sha256=wheel.sha256 if isinstance(wheel, InstalledPlugin) else wheel.inspected.sha256,
                lock_sha256=lock_sha256,
                interpreter=interpreter,
                store=self.store,
                kit_of=self.kit_of,
                now=utc_now(),
                verified=None if isinstance(wheel, InstalledPlugin) else wheel,
            ).words
        except (StoreError, TrustError) as error:
            problems.append(str(error))
        return Compat(
            distribution=asking.distribution,
            version=asking.version,
            api=str(manifest.api),
            python=PythonHere(path=interpreter.path, version=interpreter.version),
            pythons=tuple(pythons),
            problems=tuple(problems),
        )

"""What an installed version is granted here, and whether it may become the one that runs.

    admitted = admit(config, asking_of(installed), store.consents(installed.distribution))
    if admitted.ready: ...

Two things can keep a version back. Something that it asks for is not granted: the configuration says so, and has to say
how to go on. Or it asks for more than the version before it, and nobody consented yet. Nothing runs here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from assess_core.config import Config, PluginConfig
from assess_core.grants import Grant, Growth, granted, growth_of, refusals, warnings
from assess_core.host.rights import Rights
from assess_core.store import Consents, InstalledPlugin
from assess_registry.client import Permissions, ProjectName, Sha256, VerifiedWheel


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """A plugin's wheel, and what it asks for."""

    distribution: ProjectName
    version: str
    sha256: Sha256
    permissions: Permissions

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """What a version is granted, and what keeps it from running.

    Attributes:
        refusals: why the configuration does not let it start, one sentence for each thing that is withheld.
        growth: what it asks for beyond what was consented to.
        warnings: what of the configuration has no effect on it.
    """

    grant: Grant
    refusals: tuple[str, ...]
    growth: Growth
    warnings: tuple[str, ...]

    @property
    def why_not(self) -> str:
        """In one line why it may not run; `refusals` and `growth` have the whole of it."""
        reasons = []
        if self.growth:
            more = "; ".join(self.growth.words)
            reasons.append(f"it asks for more than {self.growth.since}, and nobody has consented: {more}")
        if self.refusals:
            reasons.append(f"it asks for what is not granted: {'; '.join(map(str, self.grant.withheld))}")
        return "; and ".join(reasons)

    @property
    def ready(self) -> bool:
        """Whether it may run."""
        return not (self.refusals or self.growth)


def asking_of(plugin: InstalledPlugin | VerifiedWheel) -> Asking:
    """What an installed or a verified plugin asks for."""
    if isinstance(plugin, InstalledPlugin):
        asked, distribution, version, sha256 = (
            plugin.manifest.permissions,
            plugin.distribution,
            plugin.version,
            plugin.sha256,
        )
    else:
        wheel = plugin.inspected
        asked = wheel.manifest.permissions if wheel.manifest is not None else Permissions()
        distribution, version, sha256 = wheel.project, wheel.version, wheel.sha256
    return Asking(distribution=distribution, version=version, sha256=sha256, permissions=asked)


def grant_of(config: Config, asking: Asking) -> Grant:
    """What the configuration grants of what is asked."""
    index, entry = _entry(config, asking.distribution)
    where = f"{config.source}: plugins[{index}]"
    if entry is None:
        return granted(asking.permissions, where=where)
    return granted(asking.permissions, entry.ceiling, secrets=entry.secret_sources, where=where)


def start_refusals(config: Config, asking: Asking) -> tuple[str, ...]:
    """Why the configuration does not let it start; nothing when it may."""
    _, entry = _entry(config, asking.distribution)
    if entry is not None and entry.run_with_less:
        return ()
    return refusals(grant_of(config, asking), whose=str(asking))


def admit(config: Config, asking: Asking, consents: Consents) -> Admitted:
    """Whether this version may become the one that runs, by the configuration and by what was consented to."""
    _, entry = _entry(config, asking.distribution)
    baseline = consents.baseline
    added = Permissions()
    # Else it is the first, which the configuration brings in, or one that ran before, which had its consent then.
    if baseline is not None and asking.sha256 not in consents.ran:
        ceiling = entry.ceiling if entry is not None else None
        added = growth_of(asking.permissions, before=baseline.permissions, ceiling=ceiling)
    growth = Growth(
        distribution=asking.distribution,
        version=asking.version,
        sha256=asking.sha256,
        since=baseline.version if baseline is not None else "",
        added=added,
    )
    grant = grant_of(config, asking)
    return Admitted(
        grant=grant,
        refusals=start_refusals(config, asking),
        growth=growth.covered_by(consents.for_wheel(asking.sha256)),
        warnings=warnings(grant, whose=str(asking)),
    )


def rights_of(grant: Grant) -> Rights:
    """The grant as the host acts on it."""
    return Rights(permissions=grant.permissions, withheld_at=grant.withheld_at, secrets=grant.secrets)


def idle_sources(config: Config, asked: Mapping[ProjectName, frozenset[str]]) -> dict[str, tuple[str, frozenset[str]]]:
    """Key path of each source of a secret that nobody asks for -> its name, and the names that are asked for.

    Args:
        config: the configuration.
        asked: the names that each distribution asks for, in any version that may come to run.
    """
    found = {}
    for index, entry in enumerate(config.plugins):
        if entry.name is None or entry.name not in asked:
            continue
        for name in entry.secrets:
            if name not in asked[entry.name]:
                found[f"{config.source}: plugins[{index}].secrets.{name}"] = (name, asked[entry.name])
    return found


def _entry(config: Config, distribution: ProjectName) -> tuple[str, PluginConfig | None]:
    """The entry that names it, and its index as key paths have it.

    The entry of a whole folder says nothing of one plugin in it: one that does would have to be written, with its name.
    """
    for index, entry in enumerate(config.plugins):
        if entry.name == distribution:
            return str(index), entry
    return f'name = "{distribution}"', None

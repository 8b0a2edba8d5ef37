"""What a plugin is granted: what it asks, as far as the operator's table and the sources of secrets go. Pure.

    granted(asked, Ceiling(permissions=Permissions(read=("/etc/ssh",)), keys=frozenset(["read"])))

A table of the ceiling that is there is a limit for that table, also an empty one; one that is not there stays as asked.
Nothing is ever granted that was not asked for. `read` includes `stat`, in what is asked and in what is granted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from assess_core.grants.values import KEYS, Ceiling, Withheld, written
from assess_core.secrets import SecretSource
from assess_plugin.comparing import Entry, beyond, common, covers, entries
from assess_registry.client import Permissions


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What one plugin may do in this runtime.

    Attributes:
        permissions: what it may do.
        asked: what its manifest asks for.
        withheld: what of it is not granted, or not all of, in the manifest's words.
        excess: what the operator's table names and the manifest does not ask for, or not all of: it has no effect.
        sourceless: secrets that it would get if the configuration said where they are; they are withheld, too.
        secrets: where each granted secret is.
        where: file and key path of the plugin's entry, for messages.
    """

    permissions: Permissions
    asked: Permissions
    withheld: tuple[Withheld, ...] = ()
    excess: tuple[Withheld, ...] = ()
    sourceless: tuple[str, ...] = ()
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    where: str = "plugins"

    def withheld_at(self, table: str, use: Entry) -> str | None:
        """The key that withholds this use, as `assess.toml: plugins[0].grant.read`; None of what nobody asked for.

        Args:
            table: of the permission that the use would take.
            use: a path, an argv, `host:port` or a name.
        """
        if covers(self.permissions, table, use) or not covers(self.asked, table, use):
            return None
        if table == "secrets" and use in self.sourceless:
            return f"{self.where}.secrets"
        asked_as = "read" if table == "stat" and covers(self.asked, "read", use) else table
        return f"{self.where}.grant.{asked_as}"

    def reduced_to(self, ceiling: Permissions) -> "Grant":
        """The same, where nothing is granted beyond this: for a start that nobody consented to yet."""
        permissions = common(self.permissions, ceiling)
        return replace(
            self,
            permissions=permissions,
            withheld=_listed(beyond(permissions, self.asked)),
            secrets={name: source for name, source in self.secrets.items() if covers(permissions, "secrets", name)},
        )


def granted(
    asked: Permissions,
    ceiling: Ceiling | None = None,
    *,
    secrets: Mapping[str, SecretSource] | None = None,
    where: str = "plugins",
) -> Grant:
    """What is granted of `asked`; never more than that, and never more than the ceiling.

    Args:
        asked: by the manifest.
        ceiling: the operator's table; None grants all that was approved.
        secrets: where secrets are, by name.
        where: file and key path of the plugin's entry.
    """
    permissions, excess = asked, Permissions()
    if ceiling is not None:
        kept = {key: getattr(ceiling.permissions if key in ceiling.keys else asked, key) for key in KEYS}
        permissions = common(asked, Permissions(**kept))
        excess = beyond(asked, ceiling.permissions)
    sources = secrets or {}
    named = permissions.secrets
    sourceless = tuple(name for name in named if name not in sources)
    if sourceless:
        permissions = replace(permissions, secrets=tuple(name for name in named if name in sources))
    return Grant(
        permissions=permissions,
        asked=asked,
        withheld=_listed(beyond(permissions, asked)),
        excess=_listed(excess),
        sourceless=sourceless,
        secrets={name: source for name, source in sources.items() if name in named},
        where=where,
    )


def refusals(grant: Grant, *, whose: str) -> tuple[str, ...]:
    """Why a plugin may not start with this grant, one sentence for each thing that is withheld; key and value first."""
    less = f"{grant.where.rpartition(': ')[2]}.run_with_less = true starts it without"
    found = []
    for each in grant.withheld:
        if each.key == "secrets" and each.value in grant.sourceless:
            found.append(
                f"{grant.where}.secrets: {whose} asks for the secret {written(each.value)} and nothing says where it "
                f'is; add {each.value} = "env:…", "file:…" or "credential:…"; or {less}'
            )
        else:
            found.append(
                f"{grant.where}.grant.{each.key}: {whose} asks for {written(each.value)}, which is not granted, or not "
                f"all of it; add it there; or {less}"
            )
    return tuple(found)


def warnings(grant: Grant, *, whose: str) -> tuple[str, ...]:
    """What of the operator's table has no effect, one sentence for each."""
    return tuple(
        f"{grant.where}.grant.{each.key}: {written(each.value)} is more than {whose} asks for; "
        "nothing is granted beyond what is asked"
        for each in grant.excess
    )


def _listed(permissions: Permissions) -> tuple[Withheld, ...]:
    return tuple(Withheld(key=key, value=value) for key, value in entries(permissions))

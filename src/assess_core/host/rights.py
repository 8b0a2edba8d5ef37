"""What one distribution's plugins may do, and the sentence for who asks for more.

    rights = Rights(permissions=installed.manifest.permissions)
    rights.refusal("read", "/etc/shadow", lambda permissions: permissions.allows_read("/etc/shadow"))

A refusal names the line that would permit it: of the manifest, or, where the manifest asks for it and the operator does
not grant it, of the configuration.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from assess_core.secrets import SecretSource
from assess_plugin.permissions import MANIFEST, MAX_SHOWN, Permissions, Table, not_permitted

Asked = str | tuple[str, ...]


def _by_nothing(table: str, asked: Asked) -> str | None:  # noqa: ARG001  nothing is withheld
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rights:
    """What a broker acts on.

    Attributes:
        permissions: what is granted: of what was asked for and approved, as much as the operator lets through.
        withheld_at: given a table and what was asked for, the key that withholds it although the manifest asks for it,
            such as `assess.toml: plugins[0].grant.read`; None when the manifest does not ask.
        secrets: where each granted secret lies, by the name that the manifest has for it.
        private: directories and files that no entry ever reaches: the runtime's own, and where secrets lie.
    """

    permissions: Permissions = field(default_factory=Permissions)
    withheld_at: Callable[[str, Asked], str | None] = _by_nothing
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    private: tuple[Path, ...] = ()

    def refusal(self, table: Table, asked: str | Sequence[str], permits: Callable[[Permissions], bool]) -> str:
        """The sentence for whom it is refused; empty when it is permitted."""
        if permits(self.permissions):
            return ""
        key = self.withheld_at(table, asked if isinstance(asked, str) else tuple(asked))
        return not_permitted(asked, table) if key is None else withheld(asked, table, key)

    def noted(self, table: Table, asked: str | Sequence[str]) -> Mapping[str, str]:
        """What the record of such a refusal says besides: the key that withholds it, where one does."""
        key = self.withheld_at(table, asked if isinstance(asked, str) else tuple(asked))
        return {} if key is None else {"withheld": key}

    def without(self, *private: Path) -> "Rights":
        """The same, and nothing below these, nor where its secrets lie."""
        secrets = (source.path for source in self.secrets.values())
        places = (*private, *(path for path in secrets if path is not None))
        return replace(self, private=(*self.private, *(Path(os.path.realpath(each)) for each in places)))


def withheld(asked: str | Sequence[str], table: Table, key: str) -> str:
    """The sentence for whom something is refused that the manifest asks for and the operator does not grant."""
    entry = json.dumps(asked, ensure_ascii=False)[:MAX_SHOWN]
    what = asked if isinstance(asked, str) else f"command {entry}"
    return f"{what} is not granted, though permissions.{table} in {MANIFEST} asks for it: see {key}"

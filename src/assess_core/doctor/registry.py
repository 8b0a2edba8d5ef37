"""The registry: whether it answers, until when its word is believed, and whose keys count."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from assess_core.clock import utc_now
from assess_core.doctor.values import Line
from assess_core.runtime import Runtime
from assess_registry.client import ConfigError, RegistryError, RoleTerm, TransportError, TrustError
from assess_registry.folder import folder_registry

SOON = {"timestamp": timedelta(days=1)}
"""How long before its end a role's term is warned of: the timestamp is made to be renewed every few days."""

SOON_OTHERS = timedelta(days=7)


def lines(runtime: Runtime) -> Iterator[Line]:
    """Where it lies and what it is; then what it says of itself. Then the keys of each folder of plugins."""
    settings = runtime.config.registry
    if settings is not None:
        if settings.development:
            text = f"{settings.url}: accepted even if it says `development`, where one person holds all keys"
            fix = "remove registry.development where this machine counts"
            yield Line(topic="registry", state="warn", text=text, fix=fix)
        else:
            yield Line(topic="registry", state="ok", text=settings.url)
        yield from _word(runtime)
    for folder, keys in dict.fromkeys((entry.dir, entry.trusted_keys) for entry in runtime.config.plugins):
        if folder is not None and keys is not None:
            yield _keys(folder, keys)


def _word(runtime: Runtime) -> Iterator[Line]:
    refusal = runtime.vouching.ask()
    if isinstance(refusal, TransportError):
        fix = "what is installed goes on by what is remembered, no longer than registry.max_staleness_d; find out why"
        yield Line(topic="registry", state="warn", text=f"is out of reach: {refusal}", fix=fix)
    elif isinstance(refusal, TrustError):
        topic = "clock" if refusal.step == "clock" else "registry"
        text = f"{refusal.thing}: {refusal.what}"
        yield Line(topic=topic, state="fail", text=text, fix=refusal.next_step or "ask its maintainer")
    else:
        yield Line(topic="registry", state="ok", text="answers, and what it says is signed and current")
    now = utc_now()
    terms = runtime.vouching.terms()
    yield from (_term(term, now) for term in terms)
    root = next((term.version for term in terms if term.role == "root"), None)
    if root is not None:
        keys = runtime.vouching.signing_roles()
        roles = ", ".join(f"{keys.count(role)} {role}" for role in dict.fromkeys(keys))
        yield Line(topic="keys", state="ok", text=f"root version {root} is trusted; keys that sign: {roles}")


def _term(term: RoleTerm, now: datetime) -> Line:
    left = term.expires_at - now
    text = f"{term.role} version {term.version} is valid until {term.expires_at:%Y-%m-%d %H:%M} UTC"
    fix = "ask the registry's maintainer to run: assess-registry refresh" + (
        " (root: sign a new one)" if term.role == "root" else ""
    )
    if left <= timedelta():
        return Line(topic="registry", state="fail", text=f"{text}: it has expired", fix=fix)
    if left < SOON.get(term.role, SOON_OTHERS):
        return Line(topic="registry", state="warn", text=f"{text}, which is soon", fix=fix)
    return Line(topic="registry", state="ok", text=text)


def _keys(folder: Path, keys: Path) -> Line:
    try:
        with folder_registry(folder, trusted_keys=keys) as registry:
            names = ", ".join(each.name for each in registry.trusted.keys)
    except (ConfigError, RegistryError, OSError) as error:
        fix = "put the publishers' keys there, for nobody else to change"
        return Line(topic="keys", state="fail", text=f"{keys}: {error}", fix=fix)
    return Line(topic="keys", state="ok", text=f"plugins of {folder} count if signed by a key of {keys}: {names}")

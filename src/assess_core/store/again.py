"""What was installed once may run on, or may not: asked without fetching anything.

    require_approved(installed, store=store, registry=registry)            what is said of it now, two signatures
    prove_again("demo-plugin", store=store, registry=registry, ...)        everything, from the bytes that were kept

The first is for when the registry was asked a moment ago, the second for when it could not be: both go by what is known
of the registry now, so that what was revoked does not run on, and neither does what a revoked key signed or approved.
"""

from assess_core.errors import StoreError
from assess_core.store.install import install
from assess_core.store.interpreters import Interpreters, target_of
from assess_core.store.layout import DamagedError
from assess_core.store.originals import AlteredError, installed_wheel, kept_wheel
from assess_core.store.records import Record
from assess_core.store.store import Store
from assess_core.store.values import InstalledPlugin, Interpreter
from assess_registry.client import (
    KeptWheel,
    ProjectName,
    Registry,
    TrustError,
    UnservedError,
    VerifiedWheel,
    check_installed,
    reopen,
    verify,
)

_INSTALL_AGAIN = "run `assess sync`: it fetches the plugin again, and verifies it"


def require_approved(installed: InstalledPlugin, *, store: Store, registry: Registry) -> None:
    """The registry vouches for the plugin still. That its environment holds it is `Store.check_untouched`.

    Raises:
        TransportError: the registry's word has to be completed and it cannot be reached.
        TrustError: as `check_installed`; step `record`, what was kept of it is gone.
        StoreError: the state directory may not be read.
    """
    record = store.record(installed.env_key)
    if record is None:
        raise _refusal(f"the record of {installed.environment} is gone", installed)
    try:
        wheel = installed_wheel(record, store.layout_of(record.plugin.env_key))
    except AlteredError as error:
        raise _refusal(f"{error.difference.path}: {error}", installed) from error
    check_installed(wheel, registry=registry)


def prove_again(
    distribution: ProjectName, *, store: Store, registry: Registry, interpreters: Interpreters, change: bool = True
) -> InstalledPlugin | None:
    """What serves for this distribution, after every step of the client's verification; None when nothing does.

    What was touched or is gone is built again from the kept originals, unless nothing may be changed; and so it is for
    another interpreter, if its own is not what it was. That is another environment, which does not serve yet.

    Raises:
        TransportError: the registry's word has to be completed and it cannot be reached.
        TrustError: the originals are not what the registry vouches for; steps as of `verify`, and `record`.
        StoreError: an original or the record is gone (`DamagedError`), it was touched and nothing may be changed, or
            the state directory cannot be used.
    """
    record = store.pointed(distribution)
    if record is None:
        return None
    try:
        kept, wheel = (
            kept_wheel(record, store.layout_of(record.plugin.env_key)),
            installed_wheel(record, store.layout_of(record.plugin.env_key)),
        )
    except AlteredError as error:
        raise _refusal(f"{error.difference.path}: {error}", record.plugin) from error
    # Before the bytes: it says best what is wrong with a plugin that is not vouched for any more.
    check_installed(wheel, registry=registry)
    verified, interpreter = _verified_for_one_of(interpreters, record, kept, registry)
    if interpreter == record.interpreter and not store.check_untouched(record.plugin):
        return record.plugin
    if not change:
        became = interpreters.change(record.interpreter) or f"{record.plugin.environment} is not as it was built"
        raise DamagedError(f"{distribution}: {became}")
    development = record.plugin.development or verified.development
    return install(verified, store=store, interpreter=interpreter, development=development)


def _verified_for_one_of(
    interpreters: Interpreters, record: Record, kept: KeptWheel, registry: Registry
) -> tuple[VerifiedWheel, Interpreter]:
    """For the interpreter it was installed for, else for the best that its lock and what was kept serve."""
    usable = interpreters.usable(record.interpreter)
    for interpreter in sorted(usable, key=lambda each: each.path != record.interpreter.path):
        target = target_of(interpreter)
        try:
            return verify(reopen(kept, registry=registry, target=target), registry=registry, target=target), interpreter
        except TrustError as refusal:
            # `closure`: what another interpreter runs with was not kept; of its own it should have been.
            if isinstance(refusal, UnservedError) or (refusal.step == "closure" and interpreter != record.interpreter):
                continue
            raise
    became = interpreters.change(record.interpreter)
    if not became:
        raise UnservedError(
            "it runs under a Python that is not to be used any more, and no other one serves it",
            step="python",
            thing=f"{record.plugin.distribution} {record.plugin.version}",
            expected=f"{record.interpreter.version} ({record.interpreter.path})",
            got=", ".join(f"{each.version} ({each.path})" for each in interpreters.usable()),
            next_step="name it in runtime.interpreters, or reach the registry once for a version for another one",
        )
    raise StoreError(
        f"{record.plugin.distribution}: {became}, and no other Python of this machine serves it; install Python "
        f"{record.interpreter.version} again, or let `assess sync` ask the registry for another version"
    )


def _refusal(message: str, installed: InstalledPlugin) -> TrustError:
    return TrustError(
        f"what was kept of it cannot be verified: {message}",
        step="record",
        thing=f"{installed.distribution} {installed.version}",
        expected=f"wheel, lock and verdict, with the signatures of {installed.signer}",
        got="not all of them",
        next_step=_INSTALL_AGAIN,
    )

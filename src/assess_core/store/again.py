"""What was installed once may run on, or may not: asked without fetching anything.

    require_approved(installed, store=store, registry=registry)            what is said of it now, two signatures
    prove_again("demo-plugin", store=store, registry=registry, ...)        everything, from the bytes that were kept

The first is for when the registry was asked a moment ago, the second for when it could not be: both go by what is known
of the registry now, so that what was revoked does not run on, and neither does what a revoked key signed or approved.
"""

from assess_core.store.install import install
from assess_core.store.layout import DamagedError
from assess_core.store.originals import AlteredError, installed_wheel, kept_wheel
from assess_core.store.store import Store
from assess_core.store.values import InstalledPlugin, Interpreter
from assess_registry.client import ProjectName, Registry, Target, TrustError, check_installed, reopen, verify

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
        wheel = installed_wheel(record, store.layout)
    except AlteredError as error:
        raise _refusal(f"{error.difference.path}: {error}", installed) from error
    check_installed(wheel, registry=registry)


def prove_again(
    distribution: ProjectName, *, store: Store, registry: Registry, interpreter: Interpreter, change: bool = True
) -> InstalledPlugin | None:
    """What serves for this distribution, after every step of the client's verification; None when nothing does.

    What was touched or is gone is built again from the kept originals, unless nothing may be changed.

    Raises:
        TransportError: the registry's word has to be completed and it cannot be reached.
        TrustError: the originals are not what the registry vouches for; steps as of `verify`, and `record`.
        StoreError: an original or the record is gone (`DamagedError`), it was touched and nothing may be changed, or
            the state directory cannot be used.
    """
    record = store.pointed(distribution)
    if record is None:
        return None
    target = Target.running()
    try:
        kept, wheel = kept_wheel(record, store.layout), installed_wheel(record, store.layout)
    except AlteredError as error:
        raise _refusal(f"{error.difference.path}: {error}", record.plugin) from error
    # Before the bytes: it says best what is wrong with a plugin that is not vouched for any more.
    check_installed(wheel, registry=registry)
    verified = verify(reopen(kept, registry=registry, target=target), registry=registry, target=target)
    if not store.check_untouched(record.plugin):
        return record.plugin
    if not change:
        raise DamagedError(f"{distribution}: {record.plugin.environment} is not as it was built")
    development = record.plugin.development or verified.development
    return install(verified, store=store, interpreter=interpreter, development=development)


def _refusal(message: str, installed: InstalledPlugin) -> TrustError:
    return TrustError(
        f"what was kept of it cannot be verified: {message}",
        step="record",
        thing=f"{installed.distribution} {installed.version}",
        expected=f"wheel, lock and verdict, with the signatures of {installed.signer}",
        got="not all of them",
        next_step=_INSTALL_AGAIN,
    )

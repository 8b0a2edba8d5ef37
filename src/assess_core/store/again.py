"""What was installed once, proven or built again from the originals that were kept, without asking the registry.

    require_trusted(installed, store=store, trusted=registry.trusted)     before using what was not resolved just now
    rebuild(distribution, store=store, registry=registry, interpreter=running_interpreter())

Of a registry only the trusted keys are used: a key that was taken away must not go on vouching for what it once signed.
"""

from assess_core.store.install import install
from assess_core.store.originals import AlteredError, kept_wheel, signed_originals
from assess_core.store.store import Store
from assess_core.store.values import InstalledPlugin, Interpreter
from assess_registry.client import (
    ProjectName,
    Registry,
    Target,
    TrustedKeys,
    TrustError,
    reopen,
    verify,
    verify_detached,
)

_INSTALL_AGAIN = "run `assess sync`: it fetches the plugin again, and verifies it"


def require_trusted(installed: InstalledPlugin, *, store: Store, trusted: TrustedKeys) -> None:
    """A key that is trusted now signed the wheel and the lock that this plugin was installed from.

    Takes 0.8 ms for a small wheel, and for each MiB of it 1 ms and 1.4 ms for each trusted key tried. That the
    environment holds what is in them is `Store.check_untouched`.

    Raises:
        TrustError: step `signature`; its signer is not trusted any more, or what was kept is not what was signed.
        StoreError: the state directory may not be read.
    """
    record = store.record(installed.env_key)
    if record is None:
        raise _refusal(f"the record of {installed.environment} is gone", installed)
    try:
        originals = signed_originals(record, store.layout)
    except AlteredError as error:
        raise _refusal(f"{error.difference.path}: {error}", installed) from error
    for name, data, signature in originals:
        signer = verify_detached(data, signature, trusted, thing=f"{name} of installed {installed.distribution}")
        if signer != installed.signer:
            raise TrustError(
                f"{name} was signed by another key than the one under which it was accepted",
                step="signature",
                thing=f"{installed.distribution} {installed.version}",
                expected=installed.signer,
                got=signer,
                next_step=_INSTALL_AGAIN,
            )


def rebuild(
    distribution: ProjectName, *, store: Store, registry: Registry, interpreter: Interpreter
) -> InstalledPlugin | None:
    """What serves for this distribution is as it was built; None when nothing does.

    What was touched or is gone is built again from the kept originals, after every step of the client's verification.

    Raises:
        TrustError: the originals are not what a trusted publisher signed.
        StoreError: an original or the record is gone (`DamagedError`), or the state directory cannot be used.
    """
    record = store.pointed(distribution)
    if record is None:
        return None
    if not store.check_untouched(record.plugin):
        return record.plugin
    target = Target.running()
    try:
        kept = kept_wheel(record, store.layout)
    except AlteredError as error:
        raise _refusal(f"{error.difference.path}: {error}", record.plugin) from error
    verified = verify(reopen(kept, registry=registry, target=target), registry=registry, target=target)
    return install(verified, store=store, interpreter=interpreter, development=record.plugin.development)


def _refusal(message: str, installed: InstalledPlugin) -> TrustError:
    return TrustError(
        f"what was kept of it cannot be verified: {message}",
        step="signature",
        thing=f"{installed.distribution} {installed.version}",
        expected=f"wheel and lock with the signatures of {installed.signer}",
        got="not all of them",
        next_step=_INSTALL_AGAIN,
    )

"""What is to be installed of a plugin that is wanted: a release that the registry names, or what its folder holds.

    release = release_of(wanted, delivery)                  by the registry's word
    release = release_in(wanted, wanted.found, delivery)    verified already

Nothing of the registry's is fetched before it is asked for (`Release.verified`).
"""

from packaging.requirements import Requirement

from assess_core.delivery.choosing import choose, interpreter_for, served_before
from assess_core.delivery.folders import Wanted
from assess_core.delivery.values import Delivery, Release, admits, specifier_of
from assess_core.errors import StoreError
from assess_registry.client import Registry, VerifiedWheel, fetch, verify
from assess_registry.folder import FolderPlugin


def release_of(each: Wanted, delivery: Delivery, *, version: str | None = None) -> Release:
    """What is to be installed by the registry's word; `version` in place of what the configuration asks for.

    Raises:
        RegistryError: there is none, or the registry cannot be asked.
        StoreError: a record is damaged, or the Python that it ran under is gone.
    """
    registry = registry_of(delivery)
    specifier = specifier_of(each.plugin, delivery.store.choices(each.name).pin)
    specifier = specifier if version is None else f"=={version}"
    chosen = choose(
        Requirement(f"{each.name}{specifier}"),
        registry=registry,
        interpreters=delivery.interpreters,
        before=served_before(each.name, delivery.store),
    )
    resolved = chosen.resolved

    def verified() -> VerifiedWheel:
        delivery.notify(f"fetching {resolved.project} {resolved.version}")
        return verify(fetch(resolved, registry=registry), registry=registry, target=chosen.target)

    return Release(
        project=resolved.project,
        version=resolved.version,
        sha256=resolved.sha256,
        lock_sha256=resolved.lock.sha256,
        interpreter=chosen.interpreter,
        verified=verified,
        registry=registry,
        development=resolved.development,
    )


def release_in(each: Wanted, found: FolderPlugin | None, delivery: Delivery) -> Release:
    """What is to be installed of a folder: all of it was read and verified before the first plugin of it was looked at.

    Raises:
        StoreError: the folder does not hold it, or not the version that is asked for.
    """
    if found is None:
        raise StoreError(f"{each.plugin.dir} does not hold {each.name}; put it there with: assess-registry install")
    if not admits(each.plugin, found.version):
        raise StoreError(f"{each.plugin.dir} holds {each.name} {found.version}, asked for is {each.plugin.version}")
    pin = delivery.store.choices(each.name).pin
    if pin is not None and not pin.names(found.version):
        raise StoreError(
            f"{each.plugin.dir} holds {each.name} {found.version}, and {pin.version} is pinned "
            f"({pin.why} by {pin.by}): put that one into the folder, or take the "
            f"pin away: assess plugins pin {each.name} --none"
        )
    return Release(
        project=found.project,
        version=found.version,
        sha256=found.verified.inspected.sha256,
        lock_sha256=found.lock.sha256,
        interpreter=interpreter_for(found, delivery.store, delivery.interpreters),
        verified=lambda: found.verified,
    )


def registry_of(delivery: Delivery) -> Registry:
    """The registry that a plugin of it needs."""
    if delivery.registry is None:
        raise ValueError("a plugin of the registry without a registry; `config.load` refuses that")
    return delivery.registry

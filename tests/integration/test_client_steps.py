"""No step of the client is there for nothing: with any one switched off, an attack that it refuses gets past it.

`STEPS` names for each checking function an attack of the attack tables. The attack's own test demands that it is
refused at the function's step; here the function does nothing, and that is not what happens any more. A check that is
not in the table fails the first test.
"""

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assess_registry.client import Registry, Target, TrustError
from assess_registry.client.choose import select_own
from assess_registry.client.trust import word as loaded  # with it everything that is switched off below
from assess_registry.client.trust.clock import ClockGuard
from assess_registry.dsse import Envelope
from assess_registry.keys import KeyId, TrustedKeys
from assess_registry.lock import parse_lock
from assess_registry.publish.mark import mark
from assess_registry.verdict import Approval, parse_verdict
from assess_registry.wheel import InspectedWheel, inspect
from tests.integration import test_client_approved_attacks as by_word
from tests.integration import test_client_attacks as by_keys
from tests.integration import test_client_verify as handed_on
from tests.integration import test_site_keys_stolen as by_site
from tests.integration import test_trust_attacks as by_tuf
from tests.support.approved_place import PROJECT, ApprovedPlace
from tests.support.client_place import Place, publish_two_releases
from tests.support.registry_tree import copy_registry_tree
from tests.support.trust_client import CONTROL, DEMO, OTHER, TrustClient
from tests.support.tuf_tree import make_tuf_tree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

CLIENT = Path(__file__).parents[2] / "src" / "assess_registry" / "client"

CHECKING = (
    *("standing.py", "choose.py", "verify.py"),
    *("trust/rules.py", "trust/served.py", "trust/metadata.py", "trust/clock.py"),
)
"""The files that hold the client's rules."""


def outcome(do: Callable[[], object]) -> str:
    """The step that refused, or what happened instead."""
    try:
        do()
    except TrustError as error:
        return error.step
    except Exception as error:
        return type(error).__name__
    return "accepted"


def word(name: str) -> Callable[[Path], Callable[[], object]]:
    """An attack on the approved way, made ready."""

    def ready(here: Path) -> Callable[[], object]:
        attack = by_word.ATTACKS[name]
        tree = copy_registry_tree(here, plugins=[demo_plugin_wheel("0.9.0"), demo_plugin_wheel("1.0.0")])
        attack.do(tree, True)
        place = ApprovedPlace(tree=tree, state=here / "state")
        return lambda: place.chain(attack.wants)

    return ready


def keys(name: str) -> Callable[[Path], Callable[[], object]]:
    """An attack on the way by keys alone."""

    def ready(here: Path) -> Callable[[], object]:
        tree = publish_two_releases(here)
        by_keys.STORED[name].do(tree)
        return Place(tree=tree).chain

    return ready


def handed(name: str) -> Callable[[Path], Callable[[], object]]:
    """Something else than was resolved, handed to `verify`."""

    def ready(here: Path) -> Callable[[], object]:
        place = Place(tree=publish_two_releases(here))
        fetched = handed_on.HANDED_ON[name][0](place.fetched())
        return lambda: place.verify(fetched)

    return ready


def tuf(name: str) -> Callable[[Path], Callable[[], object]]:
    """An attack on the registry's metadata."""

    def ready(here: Path) -> Callable[[], object]:
        client = trust_client(here)
        by_tuf.ATTACKS[name].do(client.tree, True)
        return client.read

    return ready


def trust_client(here: Path) -> TrustClient:
    tree = make_tuf_tree(here / "registry")
    tree.put({DEMO: b"demo 1", OTHER: b"other 1", CONTROL: b"revoked: none"})
    tree.put({DEMO: b"demo 2"})
    client = TrustClient(tree=tree, state=here / "state")
    client.read()
    return client


def clock_back(here: Path) -> Callable[[], object]:
    client = trust_client(here)
    client.later = -timedelta(days=1)
    return client.read


def timestamp_as_root(here: Path) -> Callable[[], object]:
    client = trust_client(here)
    (client.tree.metadata / "2.root.json").write_bytes((client.tree.metadata / "timestamp.json").read_bytes())
    return client.read


def development_unasked_for(here: Path) -> Callable[[], object]:
    tree = copy_registry_tree(here, plugins=[demo_plugin_wheel("1.0.0")])
    return lambda: ApprovedPlace(tree=tree, state=here / "state").chain(development=False)


def root_cut_short(here: Path) -> Callable[[], object]:
    tree = copy_registry_tree(here, plugins=[demo_plugin_wheel("1.0.0")])
    whole = tree.root_metadata.read_bytes()
    tree.root_metadata.write_bytes(whole[: len(whole) // 2])
    return Registry(tree.approved_config(here / "state")).require_root


def quarantined(here: Path) -> Callable[[], object]:
    tree = copy_registry_tree(here, plugins=[demo_plugin_wheel("1.0.0")])
    people, now = tree.everybody.release_keys, datetime.now(UTC)
    mark(
        tree.root, PROJECT, "quarantined", reason="it may be stolen", keys=people, now=now, accept_registry_changes=True
    )
    return ApprovedPlace(tree=tree, state=here / "state").chain


def only_for_windows(here: Path) -> Callable[[], object]:
    tree = publish_two_releases(here)
    builder = WheelBuilder(version="1.1.0", tag="cp311-cp311-win_amd64", purelib=False)
    tree.publish(builder.filename, builder.build())
    return Place(tree=tree).chain


def for_another_machine(here: Path) -> Callable[[], object]:
    tree = publish_two_releases(here)
    builder = WheelBuilder(version="1.1.0", tag="py3-none-linux_x86_64", purelib=False)
    tree.publish(builder.filename, builder.build())
    there, elsewhere = (Target.cpython("3.11.2", platforms=(f"linux_{name}",)) for name in ("x86_64", "aarch64"))
    fetched = Place(tree=tree).fetched(there)
    return lambda: Place(tree=tree).verify(fetched, target=elsewhere)


def lock_kept_from_another_release(here: Path) -> Callable[[], object]:
    """By the word: wheel and verdict of one release with the lock of another, both rightly signed."""
    tree = copy_registry_tree(here, plugins=[demo_plugin_wheel("0.9.0"), demo_plugin_wheel("1.0.0")])
    place = ApprovedPlace(tree=tree, state=here / "state")
    fetched, older = place.fetched(), place.fetched("demo-plugin==0.9.0")
    mixed = replace(fetched.resolved, lock=older.resolved.lock, lock_signature=older.resolved.lock_signature)
    return lambda: place.verify(replace(fetched, resolved=mixed))


def nothing(*_: object, **__: object) -> None:
    """A check that checks nothing."""


def any_publisher(standing: Any, _: object, wheel: Any) -> tuple[str, Any]:
    found = [timed.key for _, timed in standing.publishers.uses() if timed.key.id == wheel.signer]
    return wheel.publisher, found[0]


def any_lock(fetched: Any, *_: object, target: Target, **__: object) -> Any:
    lock = parse_lock(fetched.resolved.lock.data)
    resolved = fetched.resolved
    return lock, select_own(lock, project=resolved.project, version=resolved.version, target=target)[1]


def any_signature(_: bytes, __: bytes, trusted: TrustedKeys, **___: object) -> KeyId:
    return next(iter(trusted)).key.id


def any_structure(data: bytes, filename: str, **_: object) -> InspectedWheel:
    return inspect(data, filename, kind="dependency")


def any_approval(envelope: Envelope, **_: object) -> Approval:
    return Approval(verdict=parse_verdict(envelope.payload), by=(), automatic=False, keys=())


def any_dependency(_: object, data: bytes, __: object) -> bytes:
    return data


def any_time(_: ClockGuard) -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Step:
    """A checking function, what it does when switched off, the attack, and the step that refuses it."""

    function: str
    attack: Callable[[Path], Callable[[], object]]
    refused_at: str
    off: Callable[..., object] = nothing


STEPS = (
    # registry's word
    Step("trust/clock.py:check", clock_back, "clock", any_time),
    Step("trust/rules.py:check_document", tuf("key of small order"), "root"),
    Step("trust/rules.py:check_anchor", root_cut_short, "root"),
    Step("trust/rules.py:check_json", tuf("key twice"), "timestamp"),
    Step("trust/rules.py:_check_type", timestamp_as_root, "root"),
    Step("trust/rules.py:check_root", tuf("online key is a root key"), "root"),
    Step("trust/rules.py:check_says_role", tuf("empty bin in place of another"), "targets"),
    Step("trust/rules.py:_check_release_signed", tuf("bin that delegates"), "targets"),
    Step("trust/rules.py:check_targets", tuf("bin that delegates"), "targets"),
    Step("trust/rules.py:check_roles_apart", tuf("bins by the online key"), "targets"),
    Step("trust/rules.py:_check_keys", tuf("key under another id"), "root"),
    Step("trust/served.py:check_served", by_site.stolen, "root"),
    Step("trust/metadata.py:_check_together", tuf("bins by the online key"), "targets"),
    Step("trust/metadata.py:check_target", tuf("page swapped"), "targets"),
    # what it says
    Step("standing.py:check_development", development_unasked_for, "development"),
    Step("standing.py:check_not_revoked", word("revoked by the list"), "revoked"),
    Step("standing.py:check_not_quarantined", quarantined, "status"),
    Step("standing.py:check_closure_not_revoked", word("dependency revoked"), "revoked"),
    Step("standing.py:check_not_among_revoked", word("dependency revoked"), "revoked"),
    Step("standing.py:check_publisher", word("project of somebody else"), "publisher", any_publisher),
    Step("standing.py:check_verdict", word("approved by nobody"), "approval"),
    Step("standing.py:check_verdict_is_about", word("verdict with fewer permissions"), "verdict"),
    Step("standing.py:check_policy_known", word("verdict under no policy of ours"), "verdict"),
    Step("standing.py:check_listed_is_locked", word("other bytes on the signed page"), "lock"),
    Step("verify.py:_check_lock_bytes", lock_kept_from_another_release, "length or hash"),
    Step("standing.py:check_approval", word("approved by one of two"), "approval", any_approval),
    # the bytes
    Step("verify.py:verify_detached", word("signed by a stranger on the signed page"), "signature", any_signature),
    Step("verify.py:inspect_as", word("wheel that is not acceptable"), "inspect", any_structure),
    Step("verify.py:_verify_dependency", word("dependency altered"), "hash", any_dependency),
    Step("choose.py:check_bytes", word("wheel altered"), "hash"),
    Step("choose.py:check_target", only_for_windows, "tags"),
    Step("choose.py:check_page_against_lock", keys("build tag ambush"), "lock"),
    Step("verify.py:check_identity", handed("resolved another version"), "identity"),
    Step("verify.py:_check_target", for_another_machine, "tags"),
    Step("verify.py:_check_lock", handed("lock signature lost"), "signature", any_lock),
)


def test_every_check_of_the_client_is_in_the_table() -> None:
    found = {
        f"{name}:{node.name}"
        for name in CHECKING
        for node in ast.walk(ast.parse((CLIENT / name).read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.lstrip("_").startswith("check")
    }
    assert len(found) > 20
    assert not found - {step.function for step in STEPS}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.function)
def test_without_it_an_attack_is_not_refused_there(step: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(step.attack(tmp_path / "on")) in step.refused_at.split(" or ")
    attack = step.attack(tmp_path / "off")
    switched = switch_off(step, monkeypatch)
    assert switched
    assert outcome(attack) not in step.refused_at.split(" or ")


def switch_off(step: Step, monkeypatch: pytest.MonkeyPatch) -> int:
    """Replace the function wherever the client has it; gives how often."""
    name = step.function.partition(":")[2]
    home = "assess_registry.client." + step.function.partition(".py")[0].replace("/", ".")
    assert loaded.__name__ in sys.modules
    module = sys.modules[home]
    holders = [value for value in vars(module).values() if isinstance(value, type) and name in vars(value)]
    for holder in holders:
        monkeypatch.setattr(holder, name, step.off)
    if holders:
        return len(holders)
    original, places = vars(module)[name], 0
    for path, each in list(sys.modules.items()):
        if path.startswith("assess_registry.client") and vars(each).get(name) is original:
            monkeypatch.setattr(each, name, step.off)
            places += 1
    return places

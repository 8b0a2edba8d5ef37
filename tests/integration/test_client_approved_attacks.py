"""What a client that goes by the signed word refuses, and who would have to be bribed for each attack.

Every attack is a function of `evil`. With `evil=False` the very same is done but for the one thing that makes it an
attack, and the plugin arrives. Much here takes the release and the online key together: what those two can not do, a
web server, a mirror or one key alone can not do either.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_registry.catalogue import VERDICT_SUFFIX, FileRef, Release, Revoked
from assess_registry.client import TrustError
from assess_registry.control import REVOCATIONS_PATH, Publishers, PublisherTrust, Revocations, RevokedWheel
from assess_registry.dsse import sign_envelope
from assess_registry.keys import PrivateKey, TimedKey
from assess_registry.names import ProjectName, Sha256
from assess_registry.signatures import sign_detached
from assess_registry.verdict import PAYLOAD_TYPE
from tests.support.approved_place import (
    ApprovedPlace,
    approved,
    commit,
    envelope_of,
    reapprove,
    recontrol,
    relist,
    relist_wheel,
    replace_file,
    wheel_of,
)
from tests.support.client_place import DEMO, OLDER, PLUGGY, STRANGER, flip, snapshot
from tests.support.registry_tree import BEGAN, RegistryTree, make_registry_tree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

Do = Callable[[RegistryTree, bool], object]
MOMENT = timedelta(microseconds=1)
OTHERS = "ab" * 32


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    return make_registry_tree(
        tmp_path_factory.mktemp("registry"), plugins=[demo_plugin_wheel("0.9.0"), demo_plugin_wheel("1.0.0")]
    )


@pytest.fixture
def tree(published: RegistryTree, tmp_path: Path) -> RegistryTree:
    return published.copy(tmp_path / "copy")


@dataclass(frozen=True)
class Attack:
    """`do(tree, evil)`; evil ends at `step`, saying `said`; `wants` is what is asked for."""

    do: Do
    step: str
    said: str
    wants: str = "demo-plugin"


# ---- the web server alone: it can exchange any file --------------------------------------------------------------


def served(name: str, change: Callable[[bytes], bytes]) -> Do:
    def do(tree: RegistryTree, evil: bool) -> None:
        path = tree.path(name) if name.endswith(".whl") else tree.path(DEMO).with_name(name)
        path.write_bytes(change(path.read_bytes()) if evil else path.read_bytes())

    return do


def of_the_older(name: str) -> Do:
    """A file of the older release, rightly signed, in the place of the newer one's."""

    def do(tree: RegistryTree, evil: bool) -> None:
        source = tree.path(OLDER) if evil else tree.path(DEMO)
        data = source.with_name(name.replace(DEMO, OLDER) if evil else name).read_bytes()
        tree.path(DEMO).with_name(name).write_bytes(data)

    return do


def signed_by_a_stranger(tree: RegistryTree, evil: bool) -> None:
    tree.sign(tree.path(DEMO), key=STRANGER if evil else tree.key)


# ---- release and online key: they can say anything on signed pages -------------------------------------------------


def relisted_wheel(data: bytes) -> Do:
    """Other bytes and their digest on the signed page; signed by a stranger, for the publisher does not take part."""

    def do(tree: RegistryTree, evil: bool) -> None:
        honest = tree.path(DEMO).read_bytes()
        new, key = (data, STRANGER) if evil else (honest, tree.key)
        file = replace_file(tree, DEMO, new)
        relist_wheel(
            tree,
            size=file.size,
            sha256=file.sha256,
            signature=replace_file(tree, DEMO + ".sig", sign_detached(new, key)),
        )

    return do


def relisted_signature(tree: RegistryTree, evil: bool) -> None:
    signature = sign_detached(tree.path(DEMO).read_bytes(), STRANGER if evil else tree.key)
    relist_wheel(tree, signature=replace_file(tree, DEMO + ".sig", signature))


def relisted_lock(keys: Callable[[RegistryTree, bool], PrivateKey], change: bool = False) -> Do:
    """Another lock on the signed page, signed by whom `keys` says."""

    def do(tree: RegistryTree, evil: bool) -> None:
        data = tree.path(DEMO).with_name("pylock.toml").read_bytes()
        if change and evil:
            data += b"# another\n"
        lock = replace_file(tree, "pylock.toml", data)
        signature = replace_file(tree, "pylock.toml.sig", sign_detached(data, keys(tree, evil)))
        relist(tree, lambda release: replace(release, lock=lock, lock_signature=signature))

    return do


def with_wheel(data: bytes) -> Do:
    """Publisher, reviewers, release and online key together: everything but the wheel's own structure is in order."""

    def do(tree: RegistryTree, evil: bool) -> None:
        new = data if evil else demo_plugin_wheel(source="# rebuilt\n")[1]
        file = replace_file(tree, DEMO, new)
        old = wheel_of(tree)
        lock_path = tree.path(DEMO).with_name("pylock.toml")
        text = lock_path.read_text().replace(old.sha256, file.sha256)
        text = text.replace(f"size = {old.size}\n", f"size = {file.size}\n")
        lock = replace_file(tree, "pylock.toml", text.encode())
        signature = replace_file(tree, "pylock.toml.sig", sign_detached(text.encode(), tree.key))
        envelope = approved(tree, tree.everybody.reviewers.values(), sha256=file.sha256, lock_sha256=lock.sha256)
        relist(tree, lambda release: replace(release, lock=lock, lock_signature=signature))
        relist_wheel(
            tree,
            size=file.size,
            sha256=file.sha256,
            signature=replace_file(tree, DEMO + ".sig", sign_detached(new, tree.key)),
            verdict=replace_file(tree, DEMO + VERDICT_SUFFIX, envelope.data()),
        )

    return do


def swollen(name: str) -> Do:
    """The signed page names a sidecar of half a gigabyte, to be read into memory."""

    def do(tree: RegistryTree, evil: bool) -> None:
        def change(release: Release) -> Release:
            if name == "lock":
                return replace(release, lock=grown(release.lock))
            return replace(release, wheels=(replace(release.wheels[0], verdict=grown(release.wheels[0].verdict)),))

        def grown(file: FileRef) -> FileRef:
            return replace(file, size=512 << 20) if evil else file

        relist(tree, change)

    return do


# ---- publishers ----------------------------------------------------------------------------------------------------


def publisher(change: Callable[[PublisherTrust, datetime], PublisherTrust], control: object = None) -> Do:
    """The publisher's entry is another; `control` is the one that differs in one field and is good."""

    def do(tree: RegistryTree, evil: bool) -> None:
        release = tree.catalogue().release("1.0.0")
        assert release is not None
        how = change if evil else control
        assert callable(how)

        def recast(publishers: Publishers) -> Publishers:
            mine = how(publishers.publishers["publisher"], release.published_at)
            return replace(publishers, publishers={**publishers.publishers, "publisher": mine})

        recontrol(tree, recast)

    return do


def projects(*patterns: str) -> Callable[[PublisherTrust, datetime], PublisherTrust]:
    return lambda trust, _: replace(trust, projects=patterns)


def valid(
    since: Callable[[datetime], datetime] = lambda _: BEGAN,
    until: Callable[[datetime], datetime | None] = lambda _: None,
    revoked: str = "",
) -> Callable[[PublisherTrust, datetime], PublisherTrust]:
    def change(trust: PublisherTrust, published_at: datetime) -> PublisherTrust:
        key = replace(trust.keys[0], valid_from=since(published_at), valid_until=until(published_at), revoked=revoked)
        return replace(trust, keys=(key,))

    return change


def another_key(trust: PublisherTrust, _: datetime) -> PublisherTrust:
    return replace(trust, keys=(TimedKey(key=STRANGER.public, valid_from=BEGAN),))


def one_more_key(trust: PublisherTrust, _: datetime) -> PublisherTrust:
    return replace(trust, keys=(*trust.keys, TimedKey(key=STRANGER.public, valid_from=BEGAN)))


def under_another_name(tree: RegistryTree, evil: bool) -> None:
    second = PublisherTrust(projects=("*",), keys=(TimedKey(key=STRANGER.public, valid_from=BEGAN),))
    recontrol(tree, lambda all_: replace(all_, publishers={**all_.publishers, "second": second}))
    relist_wheel(tree, publisher="second" if evil else "publisher")


# ---- revocation ----------------------------------------------------------------------------------------------------


def revoke_by_page(tree: RegistryTree, evil: bool) -> None:
    revoked = Revoked(reason="steals secrets", severity="critical", at=datetime.now(UTC)) if evil else None
    relist(tree, lambda release: replace(release, revoked=revoked))


def revoke_by_list(digest: Callable[[RegistryTree], str]) -> Do:
    def do(tree: RegistryTree, evil: bool) -> None:
        wheel = RevokedWheel(
            project=ProjectName("any"),
            version="1.0",
            sha256=Sha256(digest(tree) if evil else OTHERS),
            reason="steals secrets",
            severity="critical",
            at=datetime.now(UTC),
        )
        commit(tree, {REVOCATIONS_PATH: Revocations(wheels=(wheel,)).data()})

    return do


def digest_of_dependency(tree: RegistryTree) -> str:
    text = tree.path(DEMO).with_name("pylock.toml").read_text()
    return text.split(PLUGGY)[-1].split('sha256 = "')[1][:64]


# ---- approval ------------------------------------------------------------------------------------------------------


def approved_by(keys: Callable[[RegistryTree], list[PrivateKey]], approvals: int = 1) -> Do:
    """The verdict with the signatures of these keys only; the control has as many reviewers as are needed."""

    def do(tree: RegistryTree, evil: bool) -> None:
        enough = list(tree.everybody.reviewers.values())[:approvals]
        recontrol(tree, lambda all_: recast_approvals(all_, approvals))
        reapprove(tree, approved(tree, keys(tree) if evil else enough))

    return do


def recast_approvals(publishers: Publishers, approvals: int) -> Publishers:
    mine = replace(publishers.publishers["publisher"], approvals=approvals)
    return replace(publishers, publishers={**publishers.publishers, "publisher": mine})


def reviewers(tree: RegistryTree) -> list[PrivateKey]:
    return list(tree.everybody.reviewers.values())


def verdict(**changes: object) -> Do:
    """A verdict about something else, by every reviewer; the control is the same verdict about this."""

    def do(tree: RegistryTree, evil: bool) -> None:
        reapprove(tree, approved(tree, reviewers(tree), **(changes if evil else {})))

    return do


def statement(change: Callable[[bytes], bytes], payload_type: str = PAYLOAD_TYPE) -> Do:
    """Another statement, rightly signed as what it is."""

    def do(tree: RegistryTree, evil: bool) -> None:
        payload = envelope_of(tree).payload
        if evil:
            reapprove(tree, sign_envelope(change(payload), payload_type, reviewers(tree)))
        else:
            reapprove(tree, sign_envelope(payload, PAYLOAD_TYPE, reviewers(tree)))

    return do


def type_swapped(tree: RegistryTree, evil: bool) -> None:
    """Signed as one type, shown as another: the signatures do not cover that."""
    envelope = sign_envelope(envelope_of(tree).payload, "text/plain" if evil else PAYLOAD_TYPE, reviewers(tree))
    reapprove(tree, replace(envelope, payload_type=PAYLOAD_TYPE))


def of_the_older_release(tree: RegistryTree, evil: bool) -> None:
    reapprove(tree, envelope_of(tree, OLDER if evil else DEMO))


def reviewer_until(moment: timedelta) -> Do:
    """The reviewers' keys end a moment before the release was published; the control: a moment after."""

    def do(tree: RegistryTree, evil: bool) -> None:
        release = tree.catalogue().release("1.0.0")
        assert release is not None
        end = release.published_at + (-moment if evil else moment)

        def recast(publishers: Publishers) -> Publishers:
            return replace(
                publishers,
                reviewers={
                    name: replace(trust, keys=tuple(replace(key, valid_until=end) for key in trust.keys))
                    for name, trust in publishers.reviewers.items()
                },
            )

        recontrol(tree, recast)

    return do


def reviewer_named_as_publisher(tree: RegistryTree, evil: bool) -> None:
    def recast(publishers: Publishers) -> Publishers:
        trust = publishers.reviewers["rita"]
        return replace(publishers, reviewers={"publisher" if evil else "rosa": trust})

    recontrol(tree, recast)
    reapprove(tree, approved(tree, [tree.everybody.reviewers["rita"]]))


def automatic(tree: RegistryTree, evil: bool) -> None:
    """The audit key approves; the control is a publisher for whom policy allows that."""

    def recast(publishers: Publishers) -> Publishers:
        mine = replace(publishers.publishers["publisher"], automatic=not evil)
        return replace(publishers, publishers={**publishers.publishers, "publisher": mine})

    recontrol(tree, recast)
    reapprove(tree, approved(tree, [tree.everybody.audit], approved_by="policy"))


def automatic_by(keys: Callable[[RegistryTree], list[PrivateKey]]) -> Do:
    def do(tree: RegistryTree, evil: bool) -> None:
        automatic(tree, False)
        reapprove(tree, approved(tree, keys(tree) if evil else [tree.everybody.audit], approved_by="policy"))

    return do


def failed(payload: bytes) -> bytes:
    document = json.loads(payload)
    document["predicate"]["verificationResult"] = "FAILED"
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def another_predicate(payload: bytes) -> bytes:
    return payload.replace(b"verification_summary/v1", b"verification_summary/v9")


MORE = {"read": ["/etc/shadow"], "stat": [], "commands": [], "network": [], "env": []}

ATTACKS: dict[str, Attack] = {
    # the web server alone
    "wheel altered": Attack(served(DEMO, lambda d: flip(d, 100)), "hash", "signed page"),
    "wheel shortened": Attack(served(DEMO, lambda d: d[:-1]), "length", "shorter"),
    "wheel lengthened": Attack(served(DEMO, lambda d: d + b"\0"), "length", "longer"),
    "wheel of the older release": Attack(of_the_older(DEMO), "length", "than"),
    "signature by a stranger": Attack(signed_by_a_stranger, "hash", "signed page"),
    "signature of the older release": Attack(of_the_older(DEMO + ".sig"), "hash", "signed page"),
    "lock altered": Attack(served("pylock.toml", lambda d: flip(d, 3)), "hash", "signed page"),
    "lock of the older release": Attack(of_the_older("pylock.toml"), "hash", "signed page"),
    "lock's signature altered": Attack(served("pylock.toml.sig", lambda d: flip(d, 3)), "hash", "signed page"),
    "verdict altered": Attack(served(DEMO + VERDICT_SUFFIX, lambda d: flip(d, 30)), "hash", "signed page"),
    "verdict of the older release on the server": Attack(
        of_the_older(DEMO + VERDICT_SUFFIX), "length or hash", "longer"
    ),
    "dependency altered": Attack(served(PLUGGY, lambda d: flip(d, 100)), "hash", "lock"),
    "dependency shortened": Attack(served(PLUGGY, lambda d: d[:-1]), "length", "shorter"),
    # with the release and the online key
    "other bytes on the signed page": Attack(
        relisted_wheel(demo_plugin_wheel(source="raise SystemExit")[1]), "lock", "another wheel"
    ),
    "signed by a stranger on the signed page": Attack(relisted_signature, "signature", "no trusted key"),
    "lock by a stranger on the signed page": Attack(
        relisted_lock(lambda tree, evil: STRANGER if evil else tree.key), "signature", "no trusted key"
    ),
    "lock of half a gigabyte": Attack(swollen("lock"), "length", "longer than it may be"),
    "verdict of half a gigabyte": Attack(swollen("verdict"), "length", "longer than it may be"),
    # with the publisher's key as well
    "lock that nobody approved": Attack(relisted_lock(lambda tree, _: tree.key, change=True), "verdict", "lock's"),
    # with everybody's keys
    "wheel that is not acceptable": Attack(
        with_wheel(WheelBuilder(files={"demo_plugin/__init__.py": "", "evil.pth": "import x"}).build()),
        "inspect",
        "not acceptable",
    ),
    "wheel of another version": Attack(with_wheel(demo_plugin_wheel("0.9.0")[1]), "inspect", "not acceptable"),
    "wheel for another Python": Attack(
        with_wheel(demo_plugin_wheel(requires_python=">=3.99")[1]), "python", "not for this Python"
    ),
    # publishers
    "project of somebody else": Attack(
        publisher(projects("other-*"), projects("demo-*")), "publisher", "may not publish"
    ),
    "no project at all": Attack(publisher(projects(), projects("demo-plugin")), "publisher", "may not publish"),
    "key of nobody": Attack(publisher(another_key, one_more_key), "publisher", "no publisher"),
    "key not yet valid": Attack(
        publisher(valid(since=lambda at: at + MOMENT), valid(since=lambda at: at)), "publisher", "not valid before"
    ),
    "key expired before": Attack(
        publisher(valid(until=lambda at: at), valid(until=lambda at: at + MOMENT)), "publisher", "expired"
    ),
    "key revoked from before": Attack(
        publisher(
            valid(until=lambda at: at - MOMENT, revoked="stolen"), valid(until=lambda at: at + MOMENT, revoked="stolen")
        ),
        "publisher",
        "revoked",
    ),
    "listed under another publisher": Attack(under_another_name, "publisher", "another publisher"),
    # revocation
    "revoked on its page": Attack(revoke_by_page, "revoked", "steals secrets", "demo-plugin==1.0.0"),
    "revoked by the list": Attack(
        revoke_by_list(lambda tree: wheel_of(tree).sha256), "revoked", "steals secrets", "demo-plugin==1.0.0"
    ),
    "dependency revoked": Attack(revoke_by_list(digest_of_dependency), "revoked", PLUGGY),
    # approval
    "approved by nobody": Attack(approved_by(lambda _: []), "approval", "too few"),
    "approved by a stranger": Attack(approved_by(lambda _: [STRANGER]), "approval", "nobody's key"),
    "approved by the publisher": Attack(approved_by(lambda tree: [tree.key]), "approval", "no reviewer"),
    "approved by release and online key": Attack(
        approved_by(lambda tree: [tree.everybody.release, tree.everybody.online]), "approval", "nobody's key"
    ),
    "approved by a root key": Attack(approved_by(lambda tree: [tree.everybody.roots[0]]), "approval", "nobody's key"),
    "approved by one of two": Attack(approved_by(lambda tree: reviewers(tree)[:1], 2), "approval", "too few"),
    "approved by one and the publisher": Attack(
        approved_by(lambda tree: [reviewers(tree)[0], tree.key], 2), "approval", "too few"
    ),
    "approved by one and the audit": Attack(
        approved_by(lambda tree: [reviewers(tree)[0], tree.everybody.audit], 2), "approval", "too few"
    ),
    "approved by a reviewer of before": Attack(reviewer_until(MOMENT), "approval", "too few"),
    "approved by the publisher as reviewer": Attack(reviewer_named_as_publisher, "approval", "the publisher"),
    "approved by policy, which does not": Attack(automatic, "approval", "the policy approves nothing"),
    "approved by policy with a reviewer's key": Attack(automatic_by(reviewers), "approval", "no audit key"),
    "approved by policy with the publisher's key": Attack(
        automatic_by(lambda tree: [tree.key]), "approval", "no audit key"
    ),
    # verdicts
    "verdict of the older release": Attack(of_the_older_release, "verdict", "another version"),
    "verdict about other bytes": Attack(verdict(sha256=OTHERS), "verdict", "digest"),
    "verdict about another file": Attack(
        verdict(filename="demo_plugin-1.0.0-9-py3-none-any.whl"), "verdict", "filename"
    ),
    "verdict about another project": Attack(
        verdict(project="other", filename="other-1.0.0-py3-none-any.whl"), "verdict", "another project"
    ),
    "verdict about another lock": Attack(verdict(lock_sha256=OTHERS), "verdict", "lock's digest"),
    "verdict on another report": Attack(verdict(report_sha256=OTHERS), "verdict", "report's digest"),
    "verdict with fewer permissions": Attack(verdict(permissions=MORE, growth=MORE), "verdict", "permissions"),
    "verdict with another bill of materials": Attack(verdict(sbom_sha256=OTHERS), "verdict", "bill of materials"),
    "verdict under no policy of ours": Attack(verdict(policy_sha256=OTHERS), "verdict", "never had"),
    "verdict that failed": Attack(statement(failed), "verdict", "FAILED"),
    "verdict of another kind": Attack(statement(another_predicate), "verdict", "verification_summary"),
    "verdict in another spelling": Attack(statement(lambda d: d + b" "), "verdict", "spelling"),
    "verdict of another type": Attack(statement(lambda d: d, "text/plain"), "verdict", "not a statement"),
    "verdict signed as another type": Attack(type_swapped, "approval", "does not fit"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused_by_its_step_and_writes_nothing_else(tree: RegistryTree, name: str, tmp_path: Path) -> None:
    place, attack = ApprovedPlace(tree=tree, state=tmp_path / "state"), ATTACKS[name]
    place.chain(attack.wants)
    attack.do(tree, True)
    before = snapshot(tree.directory)
    with pytest.raises(TrustError) as caught:
        place.chain(attack.wants)
    error = caught.value
    assert error.step in attack.step.split(" or "), str(error)
    assert attack.said in str(error)
    assert error.thing
    assert error.next_step
    assert snapshot(tree.directory) == before


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_without_the_attack_arrives(tree: RegistryTree, name: str, tmp_path: Path) -> None:
    place, attack = ApprovedPlace(tree=tree, state=tmp_path / "state"), ATTACKS[name]
    attack.do(tree, False)
    verified = place.chain(attack.wants)
    assert (verified.inspected.filename, verified.stale) == (DEMO, False)
    assert verified.approval is not None
    assert verified.approval.verdict.sha256 == verified.inspected.sha256

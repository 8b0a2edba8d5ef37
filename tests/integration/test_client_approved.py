"""The approved way, when nobody attacks: over file and http, by remembered words, and for what is kept of a plugin."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import InvalidRequirement

from assess_registry.catalogue import Revoked, Yanked
from assess_registry.client import (
    ConfigError,
    InstalledWheel,
    KeptWheel,
    NotPublishedError,
    Registry,
    RegistryConfig,
    Target,
    TransportError,
    TrustError,
    check_installed,
)
from assess_registry.control import Publishers
from assess_registry.signatures import sign_detached
from tests.integration.test_client_approved_attacks import revoke_by_list
from tests.support.approved_place import (
    ApprovedPlace,
    approved,
    kept_of,
    reapprove,
    recontrol,
    relist,
    wheel_of,
)
from tests.support.client_place import DEMO, OLDER, STRANGER, flip
from tests.support.http_registry import serve
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    return make_registry_tree(
        tmp_path_factory.mktemp("registry"), plugins=[demo_plugin_wheel("0.9.0"), demo_plugin_wheel("1.0.0")]
    )


@pytest.fixture
def tree(published: RegistryTree, tmp_path: Path) -> RegistryTree:
    return published.copy(tmp_path / "copy")


@pytest.fixture
def place(tree: RegistryTree, tmp_path: Path) -> ApprovedPlace:
    return ApprovedPlace(tree=tree, state=tmp_path / "state")


@pytest.fixture(params=["file", "http"])
def anywhere(request: pytest.FixtureRequest, place: ApprovedPlace) -> Iterator[ApprovedPlace]:
    if request.param == "file":
        yield place
    else:
        with serve(place.tree.root) as http:
            yield replace(place, url=http.url)


def gone(place: ApprovedPlace) -> ApprovedPlace:
    """The same client, for which the registry cannot be reached any more; its anchor is at hand."""
    anchor = place.tree.root_metadata
    away = place.tree.directory / "anchor" / "metadata"
    away.mkdir(parents=True)
    (away / anchor.name).write_bytes(anchor.read_bytes())
    place.tree.root.rename(place.tree.directory / "gone")

    class Away(ApprovedPlace):
        def config(self, **changes: Any) -> RegistryConfig:
            return super().config(**{"root": away / anchor.name, **changes})

    return Away(tree=place.tree, state=place.state)


def test_approved_plugin_arrives_with_its_approval(anywhere: ApprovedPlace) -> None:
    verified = anywhere.chain("Demo.Plugin>=0.9,<2")
    assert (verified.inspected.project, verified.inspected.version) == ("demo-plugin", "1.0.0")
    assert verified.data == anywhere.tree.path(DEMO).read_bytes()
    assert verified.signer == anywhere.tree.key.public.id
    assert verified.approval is not None
    assert (verified.approval.by, verified.approval.automatic, verified.stale) == (("rita",), False, False)
    assert {wheel.inspected.project for wheel in verified.closure} == {"assess-plugin", "pluggy"}
    assert {wheel.approval for wheel in verified.closure} == {None}


def test_approval_by_policy_says_so(place: ApprovedPlace) -> None:
    def automatic(publishers: Publishers) -> Publishers:
        mine = replace(publishers.publishers["publisher"], automatic=True)
        return replace(publishers, publishers={"publisher": mine})

    recontrol(place.tree, automatic)
    reapprove(place.tree, approved(place.tree, [place.tree.everybody.audit], approved_by="policy"))
    assert str(place.chain().approval) == "approved-by: policy"


def test_pages_without_authority_are_not_even_read(anywhere: ApprovedPlace) -> None:
    for path in (anywhere.tree.root / "simple").rglob("index.*"):
        path.write_text("<html>lies</html>")
    assert anywhere.chain().inspected.filename == DEMO


def test_yanked_release_arrives_only_when_pinned(place: ApprovedPlace) -> None:
    relist(place.tree, lambda release: replace(release, yanked=Yanked(reason="wrong", at=datetime.now(UTC))))
    assert place.chain().inspected.version == "0.9.0"
    assert place.chain("demo-plugin==1.0.0").inspected.version == "1.0.0"
    with pytest.raises(NotPublishedError, match=r"only yanked versions match \(1\.0\.0\)"):
        place.chain("demo-plugin>=1")


def test_revoked_release_never_arrives(place: ApprovedPlace) -> None:
    revoked = Revoked(reason="steals secrets", severity="critical", at=datetime.now(UTC))
    relist(place.tree, lambda release: replace(release, revoked=revoked))
    assert place.chain().inspected.version == "0.9.0"
    for wanted in ("demo-plugin==1.0.0", "demo-plugin>=1"):
        with pytest.raises(TrustError, match="steals secrets") as caught:
            place.chain(wanted)
        assert (caught.value.step, caught.value.thing) == ("revoked", DEMO)


def test_what_is_not_published_is_no_refusal(anywhere: ApprovedPlace) -> None:
    with pytest.raises(NotPublishedError, match="no project 'nothing-like-it'"):
        anywhere.chain("nothing-like-it")
    with pytest.raises(NotPublishedError, match=r"published are 1\.0\.0, 0\.9\.0"):
        anywhere.chain("demo-plugin>=3")


@pytest.mark.parametrize("name", ["d\u0435mo-plugin", "demo-plug\u0131n", "\uff44emo-plugin"])
def test_look_alike_of_a_name_is_no_name(place: ApprovedPlace, name: str) -> None:
    with pytest.raises((ConfigError, InvalidRequirement)):
        place.chain(name)
    for other_spelling in ("Demo_Plugin", "demo.plugin", "DEMO--plugin"):
        assert place.chain(other_spelling).inspected.project == "demo-plugin"


def test_wheel_that_fits_best_is_chosen_and_the_lock_agrees(place: ApprovedPlace) -> None:
    for machine in ("x86_64", "aarch64"):
        builder = WheelBuilder(version="1.1.0", tag=f"py3-none-linux_{machine}", purelib=False)
        place.tree.publish(builder.filename, builder.build())
    for machine in ("x86_64", "aarch64"):
        target = Target.cpython("3.11.2", platforms=(f"linux_{machine}",), machine=machine)
        assert place.chain(target=target).inspected.filename == f"demo_plugin-1.1.0-py3-none-linux_{machine}.whl"
    nowhere = Target.cpython("3.11.2", platforms=("win_amd64",), machine="AMD64", sys_platform="win32")
    with pytest.raises(TrustError, match="no wheel of this version") as caught:
        place.chain(target=nowhere)
    assert "demo-plugin==1.0.0" in caught.value.next_step


def test_release_published_meanwhile_is_seen(place: ApprovedPlace) -> None:
    assert place.chain().inspected.version == "1.0.0"
    place.tree.publish(*demo_plugin_wheel("1.1.0"))
    assert place.chain().inspected.version == "1.1.0"


def test_one_registry_object_judges_all_plugins_of_a_while_by_one_word(place: ApprovedPlace) -> None:
    now = [0.0]
    with Registry(place.config(), clock=lambda: now[0]) as registry:
        first = registry.current_word(registry.deadline())
        now[0] = 29.0
        assert registry.current_word(registry.deadline()) is first
        now[0] = 31.0
        second = registry.current_word(registry.deadline())
        assert second is not first
        assert registry.known_word() is second
        now[0] = 3700.0
        assert registry.known_word().stale


# ---- without the registry ----


def test_nothing_new_comes_while_the_registry_is_gone(place: ApprovedPlace) -> None:
    place.chain()
    with pytest.raises(TransportError, match="there is no registry here"):
        gone(place).chain()


def test_what_is_kept_is_verified_again_without_the_registry(place: ApprovedPlace) -> None:
    verified = place.chain()
    away = gone(place)
    again = away.reopened(kept_of(verified))
    assert (again.data, again.signer, again.approval) == (verified.data, verified.signer, verified.approval)
    assert (verified.stale, again.stale) == (False, True)
    assert [wheel.data for wheel in again.closure] == [wheel.data for wheel in verified.closure]


def test_what_is_kept_is_not_judged_by_a_word_that_is_too_old(place: ApprovedPlace) -> None:
    kept = kept_of(place.chain())
    with pytest.raises(TrustError, match="not given a valid word for too long") as caught:
        place.reopened(kept, max_staleness_s=0.0)
    assert caught.value.step == "staleness"
    assert place.reopened(kept, max_staleness_s=60.0).stale


def test_what_is_kept_is_refused_once_its_revocation_was_heard_of(place: ApprovedPlace) -> None:
    kept = kept_of(place.chain())
    revoke_by_list(lambda tree: wheel_of(tree).sha256)(place.tree, True)
    assert place.reopened(kept).inspected.filename == DEMO  # this client has not heard of it
    place.chain("demo-plugin==0.9.0")
    away = gone(place)
    with pytest.raises(TrustError, match="steals secrets") as caught:
        away.reopened(kept)
    assert caught.value.step == "revoked"


def swap(**changes: Callable[[KeptWheel], bytes]) -> Callable[[KeptWheel], KeptWheel]:
    return lambda kept: replace(kept, **{name: change(kept) for name, change in changes.items()})  # type: ignore[arg-type]


KEPT: dict[str, tuple[Callable[[KeptWheel], KeptWheel], str]] = {
    "wheel altered": (swap(data=lambda kept: flip(kept.data, 100)), "hash"),
    "signature by a stranger": (swap(signature=lambda kept: sign_detached(kept.data, STRANGER)), "signature"),
    "lock altered": (swap(lock=lambda kept: kept.lock + b"\n"), "signature"),
    "lock by a stranger": (swap(lock_signature=lambda kept: sign_detached(kept.lock, STRANGER)), "signature"),
    "verdict gone": (swap(verdict=lambda _: b""), "envelope"),
    "verdict altered": (swap(verdict=lambda kept: kept.verdict + b" "), "envelope"),
    "another name": (lambda kept: replace(kept, filename=OLDER), "lock"),
    "dependency gone": (lambda kept: replace(kept, dependencies={}), "closure"),
    "dependency altered": (
        lambda kept: replace(kept, dependencies={name: flip(data) for name, data in kept.dependencies.items()}),
        "hash",
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_somebody_had_a_hand_in_is_not_verified_again(place: ApprovedPlace, name: str) -> None:
    kept = kept_of(place.chain())
    assert place.reopened(kept).inspected.filename == DEMO
    change, step = KEPT[name]
    with pytest.raises(TrustError) as caught:
        place.reopened(change(kept))
    assert caught.value.step == step, str(caught.value)


def test_verdict_of_another_release_does_not_serve_a_kept_one(place: ApprovedPlace) -> None:
    older = place.chain("demo-plugin==0.9.0")
    kept = replace(kept_of(place.chain()), verdict=older.verdict)
    with pytest.raises(TrustError, match="another version") as caught:
        place.reopened(kept)
    assert caught.value.step == "verdict"


def test_installed_wheel_counts_until_its_key_is_revoked_from_before_it_was_published(place: ApprovedPlace) -> None:
    verified = place.chain()
    release = place.tree.catalogue().release("1.0.0")
    assert release is not None
    assert verified.lock is not None
    assert verified.inspected.manifest is not None
    installed = InstalledWheel(
        project=verified.inspected.project,
        version=verified.inspected.version,
        filename=verified.inspected.filename,
        sha256=verified.inspected.sha256,
        manifest=verified.inspected.manifest,
        lock_sha256=verified.lock.sha256,
        closure={wheel.inspected.filename: wheel.inspected.sha256 for wheel in verified.closure},
        verdict=verified.verdict,
    )

    def check_again(since: datetime) -> None:
        def change(publishers: Publishers) -> Publishers:
            mine = publishers.publishers["publisher"]
            keys = tuple(replace(each, valid_until=since, revoked="stolen") for each in mine.keys)
            return replace(publishers, publishers={"publisher": replace(mine, keys=keys)})

        recontrol(place.tree, change)
        place.fetched("demo-plugin==1.0.0")
        with Registry(place.config()) as registry:
            check_installed(installed, registry=registry)

    check_again(release.published_at + timedelta(seconds=1))  # signed while it was valid
    with pytest.raises(TrustError, match="revoked") as caught:
        check_again(release.published_at - timedelta(seconds=1))
    assert caught.value.step == "publisher"
    with Registry(place.config()) as registry, pytest.raises(TrustError, match="revoked"):
        check_installed(installed, registry=registry)


# ---- costs ----


def test_the_client_imports_tuf_and_httpx_when_they_are_needed(place: ApprovedPlace) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom packaging.requirements import Requirement\n"
        "from assess_registry.client import Registry, RegistryConfig, Target, fetch, resolve, verify\n"
        "def loaded(): return sorted({'tuf', 'httpx', 'urllib3', 'securesystemslib'} & set(sys.modules))\n"
        "print(loaded())\n"
        "config = RegistryConfig(url=sys.argv[1], root=Path(sys.argv[2]), state=Path(sys.argv[3]), development=True)\n"
        "with Registry(config) as registry:\n"
        "    print(loaded())\n"
        "    resolved = resolve(Requirement('demo-plugin'), registry=registry, target=Target.running())\n"
        "print('tuf' in loaded(), 'httpx' in loaded())\n"
    )
    config = place.config()
    command = [sys.executable, "-c", code, config.url, str(config.root), str(config.state)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert out.splitlines() == ["[]", "[]", "True False"]


def test_resolve_reads_a_dozen_files_at_first_and_two_when_nothing_changed(place: ApprovedPlace) -> None:
    with serve(place.tree.root) as http:
        over = replace(place, url=http.url)
        over.fetched()
        first = len(http.requests)
        http.requests.clear()
        over.fetched()
        metadata = [path for path in http.requests if path.startswith(("/metadata/", "/catalog/", "/control/"))]
    assert first <= 20
    assert [path.rpartition("/")[2] for path in metadata] == ["2.root.json", "timestamp.json"]

"""Whether a version may become the one that runs: by what is configured, and by what was consented to."""

from pathlib import Path

import pytest

from assess_core.config import Config, parse
from assess_core.delivery.admission import Asking, admit, grant_of, idle_sources, start_refusals
from assess_core.store import Baseline, Consent, Consents
from assess_registry.client import Permissions, ProjectName, Sha256
from tests.support.results import NOON as NOW

NAME = ProjectName("demo-plugin")
OLD = Permissions(read=("/etc/ssh",))
NEW = Permissions(read=("/etc/ssh", "/var"), env=("HTTPS_PROXY",))
RAN = Consents(baseline=Baseline(version="1.0.0", permissions=OLD), ran=(Sha256("aa" * 32),))


def configured(lines: str = "", *, folder: bool = False) -> Config:
    source = 'dir = "plugins"\ntrusted_keys = "keys"\n' if folder else ""
    registry = '[registry]\nurl = "file:x"\nroot = "1.root.json"\n'
    return parse(f"{registry}[[plugins]]\n{source}{lines}".encode(), Path("/srv/assess.toml"))


NAMED = 'name = "demo-plugin"\n'


def asking(permissions: Permissions = NEW, *, sha256: str = "bb" * 32) -> Asking:
    return Asking(distribution=NAME, version="1.1.0", sha256=Sha256(sha256), permissions=permissions)


def consented(added: Permissions, *, sha256: str = "bb" * 32) -> Consents:
    consent = Consent(version="1.1.0", sha256=Sha256(sha256), digest="cc" * 32, added=added, at=NOW, by="root")
    return RAN.with_consent(consent)


@pytest.mark.parametrize(
    ("lines", "consents", "left"),
    [
        (NAMED, Consents(), ()),  # the first one
        (NAMED, RAN, ("read /var", "see variable HTTPS_PROXY")),
        (NAMED + 'grant = { env = ["HTTPS_PROXY"] }', RAN, ("read /var",)),
        (NAMED + 'grant = { env = ["HTTPS_PROXY"], read = ["/"] }', RAN, ()),
        (NAMED, consented(Permissions(read=("/var",))), ("see variable HTTPS_PROXY",)),
        (NAMED, consented(Permissions(read=("/var",), env=("HTTPS_PROXY",))), ()),
        (NAMED, consented(NEW, sha256="dd" * 32), ("read /var", "see variable HTTPS_PROXY")),  # another wheel
    ],
)
def test_what_is_left_to_consent_to(lines: str, consents: Consents, left: tuple[str, ...]) -> None:
    admitted = admit(configured(lines), asking(), consents)
    assert admitted.growth.words == left
    assert admitted.ready == (not left)


def test_what_ran_before_and_what_asks_for_no_more_are_ready() -> None:
    assert admit(configured(NAMED), asking(sha256="aa" * 32), RAN).ready
    assert admit(configured(NAMED), asking(Permissions(read=("/etc/ssh/x",))), RAN).ready
    assert not admit(configured(NAMED), asking(), RAN).ready  # the control


def test_with_less_what_is_withheld_refuses_nothing_and_stays_withheld() -> None:
    narrowed = NAMED + "grant = { env = [] }\n"
    (sentence,) = start_refusals(configured(narrowed), asking())
    assert sentence.startswith('/srv/assess.toml: plugins[0].grant.env: demo-plugin 1.1.0 asks for "HTTPS_PROXY"')
    less = configured(narrowed + "run_with_less = true")
    assert start_refusals(less, asking()) == ()
    assert grant_of(less, asking()).permissions.env == ()


def test_for_a_plugin_of_a_folder_that_no_entry_names_the_entry_to_write_is_named() -> None:
    secret = asking(Permissions(secrets=("token",)))
    (sentence,) = start_refusals(configured(folder=True), secret)
    assert sentence.startswith('/srv/assess.toml: plugins[name = "demo-plugin"].secrets: demo-plugin 1.1.0 asks for')
    assert start_refusals(configured(NAMED + 'secrets = { token = "env:TOKEN" }', folder=True), secret) == ()


def test_a_source_that_nobody_asks_for_is_found_by_its_key() -> None:
    config = configured(NAMED + 'secrets = { token = "env:A", tokne = "env:B" }')
    assert idle_sources(config, {NAME: frozenset(["token"])}) == {
        "/srv/assess.toml: plugins[0].secrets.tokne": ("tokne", frozenset(["token"]))
    }
    assert idle_sources(config, {NAME: frozenset(["token", "tokne"])}) == {}
    assert idle_sources(config, {}) == {}  # it is not installed: nobody knows what it asks for

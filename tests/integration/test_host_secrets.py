"""A secret that a plugin was told is in nothing that it says; beside it the same words, where nothing is marked."""

import asyncio
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assess_core.errors import PluginFault
from assess_core.host import Supervisor
from assess_core.host.call import Call
from assess_core.host.rights import Rights
from assess_core.secrets import SecretSource
from assess_plugin import ActionInput, EvaluateInput, Subject
from tests.support.installed import host_config, make_program

SECRET = "correct-horse-8"
PERMISSIONS = 'secrets = ["db"]\ncommands = [["true", "*"]]'
SUBJECT = Subject(id="host:x", type="inventory-item", title="x")


class Told:
    """All that comes of a call, as one text."""

    def __init__(self, root: Path, check: str, *, knows: bool, **more: Any) -> None:
        secret = root / "db"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        permissions = more.get("permissions", PERMISSIONS)
        installed = make_program(
            root, "tells", checks=(check,), permissions=permissions, settings=more.get("settings", ""), api=">=1.2,<2"
        )
        source = SecretSource.parse(more.get("source", f"file:{secret}"))
        self.rights = Rights(permissions=installed.manifest.permissions, secrets={"db": source})
        self.events: list[Any] = []
        self.report: Any = None
        props = {} if knows else {"value": SECRET}

        async def run() -> None:
            supervisor = Supervisor(installed, host_config(root), rights=self.rights)
            given = ActionInput(
                subject=replace(SUBJECT, props=props), checks=(check,), settings={"token": more.get("token", SECRET)}
            )
            try:
                if check == "subjects":
                    found = EvaluateInput(selector={} if knows else {"value": SECRET}, runtime="r")
                    self.report = await supervisor.evaluate("its-subjects", found, timeout_s=20)
                else:
                    self.report = await supervisor.execute("it", given, timeout_s=20, on_event=self.events.append)
            except PluginFault as fault:
                self.report = fault
            finally:
                await supervisor.stop()

        asyncio.run(run())

    @property
    def text(self) -> str:
        fault = self.report if isinstance(self.report, PluginFault) else None
        said = [repr(self.events), repr(self.report), str(fault), repr(fault.record) if fault else ""]
        said += [fault.log_tail, repr(fault.__cause__)] if fault else []
        return "\n".join(said)


WAYS = ("results", "notices", "evidence", "raises", "unknown-check", "output", "uses", "subjects")
HEX = SECRET.encode().hex()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_that_a_plugin_says_holds_what_it_was_told(
    tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = Told(tmp_path, way, knows=True)
    assert SECRET not in told.text + caplog.text
    assert HEX not in told.text
    assert "[secret db]" in told.text


@pytest.mark.parametrize("way", WAYS)
def test_the_same_words_of_one_that_was_told_nothing_come_through(tmp_path: Path, way: str) -> None:
    """The control: the text reaches us in each of these ways, and it is the mark that takes it out."""
    assert SECRET in Told(tmp_path, way, knows=False).text


def test_evidence_is_cleaned_across_its_chunks(tmp_path: Path) -> None:
    (piece,) = Told(tmp_path, "evidence", knows=True).report.evidence.values()
    assert piece.data.endswith(b"x[secret db] [secret db]\0."), "of UTF-16 the last zero byte stays"


@pytest.mark.parametrize(("way", "report"), [("results", "call_report"), ("subjects", "evaluate_report")])
@pytest.mark.parametrize("knows", [True, False])
def test_what_is_searched_for_secrets_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, report: str, knows: bool
) -> None:
    """It may be megabytes of small texts, and takes longer than anybody may wait on the loop's thread."""
    on_the_loop: list[bool] = []
    made = getattr(Call, report)

    def seen(*arguments: Any, **more: Any) -> Any:
        on_the_loop.append(threading.current_thread() is threading.main_thread())
        return made(*arguments, **more)

    monkeypatch.setattr(Call, report, seen)
    Told(tmp_path, way, knows=knows)
    assert on_the_loop == [not knows]


def test_no_evidence_is_named_by_a_secret(tmp_path: Path) -> None:
    said = {}
    for knows in (True, False):
        root = tmp_path / str(knows)
        root.mkdir()
        said[knows] = Told(root, "evidence-name", knows=knows).report.output.results[0].reason
    assert "may not be named by a secret" in said[True]
    assert said[False] == ""


def test_texts_that_grow_by_it_are_cut(tmp_path: Path) -> None:
    result = Told(tmp_path, "results", knows=True).report.output.results[0]
    assert len(result.remediation) <= 4096
    assert result.reason == "reason [secret db]"
    assert (result.expected, result.actual) == ("expected [secret db]", "actual [secret db]")


@pytest.mark.parametrize(("secret", "shown"), [("true", "set to [secret token]"), ("false", f"set to {SECRET}")])
def test_a_setting_that_is_a_secret_is_one(tmp_path: Path, secret: str, shown: str) -> None:
    told = Told(tmp_path, "setting", knows=False, settings=f'[settings.token]\ntype = "string"\nsecret = {secret}\n')
    assert told.report.output.results[0].reason == shown


@pytest.mark.parametrize(("secret", "shown"), [("true", "[secret token]"), ("false", SECRET)])
def test_so_is_every_text_in_a_setting_that_is_a_table(tmp_path: Path, secret: str, shown: str) -> None:
    declared = f'[settings.token]\ntype = "object"\nsecret = {secret}\n'
    given = {"accounts": [{"name": "eve", "password": SECRET}]}
    told = Told(tmp_path, "setting", knows=False, settings=declared, token=given)
    shown_as = f"set to {{'accounts': [{{'name': 'eve', 'password': '{shown}'}}]}}"
    assert told.report.output.results[0].reason == shown_as, "what is too short to be a secret stays"


def test_provenance_has_the_name_alone(tmp_path: Path) -> None:
    report = Told(tmp_path, "uses", knows=True).report
    uses = [use.what for use in report.provenance]
    assert uses[0] == {"secret": "db"}
    assert {"denied": {"open": "/nowhere/[secret db]"}} in uses
    assert {"denied": {"run": ["echo", "[secret db]"]}} in uses
    assert {"denied": {"connect": "[secret db].example.org:80"}} in uses
    (ran,) = [use for use in uses if "run" in use]
    assert ran["run"] == ["true", "[secret db]"]


@pytest.mark.parametrize(
    ("permissions", "source", "why"),
    [
        ("", "", 'db is not permitted: add "db" to permissions.secrets in assess-plugin.toml'),
        (PERMISSIONS, "env:NO_SUCH_VARIABLE", "the secret db cannot be had: env:NO_SUCH_VARIABLE is not set"),
        (PERMISSIONS, "file:/etc/passwd", "the secret db cannot be had: file:/etc/passwd can be read by others"),
    ],
)
def test_a_secret_that_cannot_be_told_says_why(tmp_path: Path, permissions: str, source: str, why: str) -> None:
    more = {"permissions": permissions} | ({"source": source} if source else {})
    told = Told(tmp_path, "results", knows=True, **more)
    assert isinstance(told.report, PluginFault)
    assert why in str(told.report)
    assert told.report.record is not None
    (use,) = told.report.record.provenance
    assert use.what == ({"secret": "db", "error": use.what["error"]} if source else {"denied": {"secret": "db"}})


def test_the_file_of_a_secret_is_opened_for_nobody(tmp_path: Path) -> None:
    """Whatever it may read: what is in it would not be marked."""
    told = Told(tmp_path, "results", knows=True)
    assert (tmp_path / "db") in told.rights.without().private

"""Whoever is refused what its manifest asks for is told which key withholds it, and so is whoever reads the record."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assess_core.delivery.admission import rights_of
from assess_core.grants import KEYS, Ceiling, granted
from assess_core.host.broker import Broker
from assess_core.host.messages import Connect, Open, Refused, Run, Secret, Stat, Use
from assess_core.host.rights import Rights
from assess_core.secrets import SecretSource
from assess_registry.client import Permissions

WHERE = "assess.toml: plugins[0]"
NOTHING = Ceiling(permissions=Permissions(), keys=frozenset(KEYS))


def answered(rights: Rights, use: Use) -> tuple[Any, dict[str, Any]]:
    """The answer, and what is on record of it."""
    kept: list[Any] = []
    answer, descriptor = asyncio.run(Broker(rights, lambda _check, what: kept.append(what)).answer(use, time_left_s=10))
    if descriptor is not None:
        os.close(descriptor)
    return answer, kept[-1]


def asked_for(place: Path, port: int) -> Permissions:
    return Permissions(
        read=(f"{place}/read",),
        stat=(f"{place}/stat",),
        commands=(("true", "*"),),
        network=(f"127.0.0.1:{port}",),
        secrets=("token",),
    )


USES: dict[str, Callable[[Path, int], Use]] = {
    "read": lambda place, _: Open(call=1, id=1, check=None, path=f"{place}/read/file"),
    "stat": lambda place, _: Stat(call=1, id=1, check=None, path=f"{place}/stat/file"),
    "commands": lambda _, __: Run(call=1, id=1, check=None, argv=["true", "x"], timeout_s=5),
    "network": lambda _, port: Connect(call=1, id=1, check=None, host="127.0.0.1", port=port, timeout_s=5),
    "secrets": lambda _, __: Secret(call=1, id=1, check=None, name="token"),
}


@pytest.mark.parametrize("table", USES)
def test_a_denial_of_what_is_withheld_names_the_key(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("read", "stat"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    monkeypatch.setenv("TOKEN", "correct horse")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        asked, use = asked_for(tmp_path, port), USES[table](tmp_path, port)
        secrets = {"token": SecretSource(kind="env", name="TOKEN")}

        answer, kept = answered(rights_of(granted(asked, NOTHING, secrets=secrets, where=WHERE)), use)
        assert isinstance(answer, Refused)
        assert answer.kind == "denied"
        assert f"asks for it: see {WHERE}.grant.{table}" in answer.message
        assert kept["denied"]["withheld"] == f"{WHERE}.grant.{table}"

        answer, kept = answered(rights_of(granted(asked, secrets=secrets, where=WHERE)), use)  # the control
        assert not isinstance(answer, Refused), answer
        assert "denied" not in kept

        answer, kept = answered(rights_of(granted(Permissions(), NOTHING, where=WHERE)), use)  # nobody asked for it
        assert isinstance(answer, Refused)
        assert f"permissions.{table} in assess-plugin.toml" in answer.message
        assert "withheld" not in kept["denied"]


def test_a_link_to_what_is_withheld_is_withheld(tmp_path: Path) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
    (tmp_path / "closed/file").write_text("x")
    (tmp_path / "open/link").symlink_to(tmp_path / "closed/file")
    asked = Permissions(read=(f"{tmp_path}/open", f"{tmp_path}/closed"))
    ceiling = Ceiling(permissions=Permissions(read=(f"{tmp_path}/open",)), keys=frozenset(["read"]))
    use = Open(call=1, id=1, check=None, path=f"{tmp_path}/open/link")
    answer, kept = answered(rights_of(granted(asked, ceiling, where=WHERE)), use)
    assert isinstance(answer, Refused)
    assert kept["denied"]["withheld"] == f"{WHERE}.grant.read"
    answer, _ = answered(rights_of(granted(asked, where=WHERE)), use)
    assert not isinstance(answer, Refused)


def test_a_secret_without_a_source_is_denied_with_where_it_goes(tmp_path: Path) -> None:
    asked = asked_for(tmp_path, 1)
    answer, kept = answered(rights_of(granted(asked, where=WHERE)), USES["secrets"](tmp_path, 1))
    assert isinstance(answer, Refused)
    assert kept["denied"] == {"secret": "token", "withheld": f"{WHERE}.secrets"}

"""What the store remembers survives being written and read, and nothing else is read."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_core.store.active import Pointer, decode_pointer, encode_pointer
from assess_core.store.differences import Difference, EnvironmentReport
from assess_core.store.environments import environment_key
from assess_core.store.records import Record, StoredWheel, decode_record, encode_record
from assess_core.store.values import InstalledPlugin, Interpreter, PluginEntry
from assess_registry.client import parse_manifest, parse_plugin_name, parse_project, parse_sha256
from tests.support.wheels import demo_manifest

KEY = "ab" * 32
OTHER = "cd" * 32
ENVIRONMENT = Path("/state/envs") / KEY
INTERPRETER = Interpreter(
    path=Path("/usr/bin/python3.11"),
    version="3.11.2",
    cache_tag="cpython-311",
    soabi="cpython-311-x86_64-linux-gnu",
    platform="linux-x86_64",
    site_packages="lib/python3.11/site-packages",
)


def a_record() -> Record:
    plugin = InstalledPlugin(
        distribution=parse_project("demo-plugin"),
        version="1.0.0",
        sha256=parse_sha256("1" * 64),
        env_key=KEY,
        interpreter=INTERPRETER,
        environment=ENVIRONMENT,
        python=ENVIRONMENT / "bin/python",
        site_packages=ENVIRONMENT / "lib/python3.11/site-packages",
        entries=(PluginEntry(name=parse_plugin_name("demo"), kind="plugin", module="demo_plugin", attr="plugin"),),
        manifest=parse_manifest(demo_manifest().encode()),
        lock_sha256=parse_sha256("2" * 64),
        signer="sha256:" + "3" * 64,
        development=True,
        installed_at=datetime(2026, 11, 21, 5, 10, tzinfo=UTC),
    )
    wheel = StoredWheel(
        project=plugin.distribution,
        version="1.0.0",
        filename="demo_plugin-1.0.0-py3-none-any.whl",
        sha256=plugin.sha256,
    )
    return Record(plugin=plugin, manifest_text=demo_manifest(), wheels=(wheel,))


def decode(data: bytes) -> Record:
    return decode_record(data, env_key=KEY, environment=ENVIRONMENT)


def changed(path: str, value: Any) -> bytes:
    """The record with one value replaced."""
    document = json.loads(encode_record(a_record()))
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    table = document
    for part in parents:
        table = table[part]
    table[last] = value
    return json.dumps(document).encode()


def test_a_record_is_read_as_it_was_written() -> None:
    assert decode(encode_record(a_record())) == a_record()


def test_paths_follow_the_state_directory() -> None:
    moved = decode_record(encode_record(a_record()), env_key=KEY, environment=Path("/elsewhere/envs/x"))
    assert moved.plugin.python == Path("/elsewhere/envs/x/bin/python")
    assert b"/state" not in encode_record(a_record())


@pytest.mark.parametrize(
    ("path", "value", "names"),
    [
        ("schema", 2, "schema"),
        ("schema", True, "schema"),
        ("distribution", "Demo_Plugin", "Demo_Plugin"),
        ("sha256", "1" * 63, "sha256"),
        ("development", 1, "development"),
        ("installed_at", "2026-11-21T05:10:00", "installed_at"),
        ("interpreter", [], "interpreter"),
        ("interpreter.version", None, "interpreter.version"),
        ("interpreter.site_packages", "../../etc", "interpreter.site_packages"),
        ("interpreter.site_packages", "/etc", "interpreter.site_packages"),
        ("entries.0.kind", "worker", "entries[0].kind"),
        ("entries.0.kind", ["plugin"], "entries[0].kind"),
        ("entries.0.attr", 5, "entries[0].attr"),
        ("wheels.0.filename", "../x.whl", "wheels[0].filename"),
        ("surprise", 1, "surprise"),
    ],
)
def test_a_wrong_value_is_refused_by_its_path(path: str, value: Any, names: str) -> None:
    with pytest.raises(ValueError) as error:
        decode(changed(path, value))
    assert names in str(error.value)


@pytest.mark.parametrize("key", sorted(json.loads(encode_record(a_record()))))
def test_a_missing_key_is_named(key: str) -> None:
    document = json.loads(encode_record(a_record()))
    del document[key]
    with pytest.raises(ValueError, match=key):
        decode(json.dumps(document).encode())


def test_a_pointer_remembers_what_served_before_it() -> None:
    first = Pointer(env_key=KEY)
    second = first.moved_to(OTHER)
    assert second == Pointer(env_key=OTHER, previous=KEY)
    assert second.moved_to(OTHER) == second
    assert second.moved_to(KEY) == Pointer(env_key=KEY, previous=OTHER)
    assert decode_pointer(encode_pointer(second)) == second
    assert decode_pointer(encode_pointer(first)) == first


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"schema": 1, "env_key": KEY},
        {"schema": 2, "env_key": KEY, "previous": None},
        {"schema": 1, "env_key": "../" + KEY[3:], "previous": None},
        {"schema": 1, "env_key": KEY, "previous": 5},
        {"schema": 1, "env_key": KEY, "previous": None, "more": 1},
    ],
)
def test_anything_but_a_pointer_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        decode_pointer(json.dumps(document).encode())


def test_an_environment_is_named_by_everything_that_decides_what_is_in_it() -> None:
    lock, wheels = parse_sha256("1" * 64), [parse_sha256("2" * 64), parse_sha256("3" * 64)]
    facts = {name: getattr(INTERPRETER, name) for name in Interpreter.__dataclass_fields__}
    changes = [Interpreter(**(facts | {name: type(value)(f"{value}x")})) for name, value in facts.items()]
    keys = [
        environment_key(lock, wheels, INTERPRETER),
        environment_key(parse_sha256("4" * 64), wheels, INTERPRETER),
        environment_key(lock, wheels[:1], INTERPRETER),
        *(environment_key(lock, wheels, other) for other in changes),
    ]
    assert len(set(keys)) == len(keys) == 9
    assert environment_key(lock, reversed(wheels), INTERPRETER) == keys[0]


def test_a_report_that_compared_nothing_accepts_nothing() -> None:
    def report(*, verified: tuple[str, ...], files: int, differences: tuple[Difference, ...] = ()) -> EnvironmentReport:
        return EnvironmentReport(
            environment=ENVIRONMENT, verified=verified, seeded=(), files=files, differences=differences
        )

    extra = Difference(kind="extra", path="evil.pth", message="is in no audited wheel")
    assert report(verified=("demo-plugin 1.0.0",), files=3).accepted
    assert not report(verified=(), files=3).accepted
    assert not report(verified=("demo-plugin 1.0.0",), files=0).accepted
    refused = report(verified=("demo-plugin 1.0.0",), files=3, differences=(extra,) * 50)
    assert not refused.accepted
    assert "evil.pth" in refused.summary
    assert "10 more extra" in refused.summary
    assert "is NOT what was audited" in refused.summary
    forged = Difference(kind="extra", path="x\n  verified: all \udcff", message="is in no audited wheel")
    shown = report(verified=("demo-plugin 1.0.0",), files=3, differences=(forged,))
    assert len(shown.summary.encode().splitlines()) == 4
    unknown = Difference(kind="unknown", path="x.pyc", message="bytecode of another Python")
    shown = report(verified=("demo-plugin 1.0.0",), files=3, differences=(unknown,))
    assert not shown.accepted
    assert "could not be shown to be what was audited" in shown.summary
    assert len(refused.as_dict()["differences"]) == 50

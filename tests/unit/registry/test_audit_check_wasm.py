"""WebAssembly modules: what they want from outside is read by hand, within bounds, and nothing else is let in."""

import random

import pytest

from assess_plugin import models
from assess_registry.audit.checks import wasm
from assess_registry.audit.wasm_module import Memory, WasmError, parse_wasm
from tests.support.examining import examined, ids, only, plugin_with

HEAD = b"\0asm\x01\0\0\0"


def leb(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return out + bytes((number,))


def name(text: str) -> bytes:
    return leb(len(text.encode())) + text.encode()


def section(number: int, body: bytes) -> bytes:
    return bytes((number,)) + leb(len(body)) + body


def function(module: str, field: str) -> bytes:
    return name(module) + name(field) + b"\0\0"


def module(*imports: bytes, memory: bytes = b"\x01\x01\x10", start: bool = False) -> bytes:
    parts = [section(0, name("producers")), section(1, b"\x01\x60\0\0")]
    parts += [section(2, leb(len(imports)) + b"".join(imports))]
    parts += [section(5, b"\x01" + memory)] + ([section(8, b"\0")] if start else [])
    return HEAD + b"".join(parts)


GOOD = module(function("assess_host_v1", "run"), function("assess_host_v1", "log"))


def test_a_good_module_is_listed_and_not_reported() -> None:
    found = examined(wasm, plugin_with("", x__bin=GOOD))
    assert found.findings == ()
    assert found.facts["modules"] == [
        {
            "path": "demo_plugin/x.bin",
            "imports": ["assess_host_v1.run (function)", "assess_host_v1.log (function)"],
            "memories": [{"minimum_kib": 64, "maximum_kib": 1024}],
            "start": None,
        }
    ]


@pytest.mark.parametrize(
    "foreign",
    [
        function("wasi_snapshot_preview1", "fd_write"),
        function("assess_host_v1", "exec"),
        function("assess_host_v2", "run"),
        name("assess_host_v1") + name("run") + b"\x03\x7f\0",
        name("assess_host_v1") + name("log") + b"\x02\x01\x01\x02",
        name("env") + name("table") + b"\x01\x70\x01\x01\x02",
        name("env") + name("table") + b"\x01\x63\x00\x01\x01\x02",
        name("env") + name("tag") + b"\x04\0\0",
    ],
    ids=["wasi", "name", "module", "global", "memory", "table", "typed-table", "tag"],
)
def test_an_import_that_is_not_the_hosts(foreign: bytes) -> None:
    found = examined(wasm, plugin_with("", x__wasm=module(function("assess_host_v1", "run"), foreign)))
    assert only(found, "wasm-import").severity == "high"
    assert ids(found) == ["wasm-import"]
    assert ids(examined(wasm, plugin_with("", x__wasm=module(function("assess_host_v1", "run"))))) == []


def test_memory_without_a_maximum_and_a_start_function() -> None:
    assert ids(examined(wasm, plugin_with("", x__wasm=module(memory=b"\0\x01")))) == ["wasm-memory-unbounded"]
    assert ids(examined(wasm, plugin_with("", x__wasm=module(start=True)))) == ["wasm-start-function"]
    assert ids(examined(wasm, plugin_with("", x__wasm=module()))) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no module",
        b"\0asm",
        b"\0asm\x0d\0\x01\0",
        HEAD + b"\x02",
        HEAD + b"\x02\xff\xff\xff\xff\x0f",
        HEAD + b"\x02\xff\xff\xff\xff\xff\xff\x01",
        HEAD + section(2, b"\xff\xff\xff\xff\x0f"),
        HEAD + section(2, b"\x01" + name("a") + name("b") + b"\x09"),
        HEAD + section(2, b"\x01\x01\xff" + name("b") + b"\0\0"),
        HEAD + section(2, b"\0\0"),
        HEAD + section(5, b"\x01\x09\x01"),
        HEAD + section(5, b"\0") + section(2, b"\0"),
        HEAD + section(2, b"\0") + section(2, b"\0"),
        HEAD + section(99, b""),
    ],
)
def test_what_is_malformed_is_refused(data: bytes) -> None:
    found = examined(wasm, plugin_with("", x__wasm=data))
    assert only(found, "wasm-malformed").severity == "high"


def test_sixty_four_bit_and_shared_memories_are_understood() -> None:
    assert parse_wasm(HEAD + section(5, b"\x01\x05\x01" + leb(1 << 40))).memories == (Memory(1, 1 << 40),)
    assert parse_wasm(HEAD + section(5, b"\x01\x03\x01\x02")).memories == (Memory(1, 2),)


def test_no_change_of_a_byte_breaks_the_reader() -> None:
    chance = random.Random(7)
    refused = 0
    for _ in range(3000):
        data = bytearray(GOOD)
        data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            parse_wasm(bytes(data[: chance.randrange(len(data) + 1)]))
        except WasmError:
            refused += 1
    assert refused > 1000


def test_the_functions_are_those_of_the_host() -> None:
    methods = {each for each in vars(models.Host) if not each.startswith("_")} - {"attribute"}
    assert methods <= wasm.HOST_FUNCTIONS

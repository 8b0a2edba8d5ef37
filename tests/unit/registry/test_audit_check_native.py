"""Native code is found by what it is as well as by its name, and judged by the wheel's tags."""

import hashlib
from dataclasses import replace

import pytest

from assess_registry.audit.checks import native
from assess_registry.audit.context import Context
from tests.support.examining import examined, ids, only, plugin_with, subject_of
from tests.support.wheels import WheelBuilder

PLATFORM = "cp311-cp311-manylinux_2_28_x86_64"
PE = b"MZ" + b"\0" * 58 + (64).to_bytes(4, "little") + b"PE\0\0"


def platform_wheel(**files: bytes) -> WheelBuilder:
    return plugin_with("", None, **files).but(tag=PLATFORM, purelib=False)


@pytest.mark.parametrize(
    ("name", "data", "innocent"),
    [
        ("x__so", b"whatever", ("x__sol", b"whatever")),
        ("x__pyd", b"whatever", ("x__py", b"x = 1")),
        ("x__bin", b"\x7fELF\x02", ("x__bin", b"\x7fELX\x02")),
        ("x__bin", PE, ("x__bin", b"MZ is how this text begins, and nothing else of it is a program at all.")),
        ("x__bin", b"\xcf\xfa\xed\xfe", ("x__bin", b"\xcf\xfa\xed\xff")),
        ("x__bin", b"\xca\xfe\xba\xbe\0\0\0\2", ("x__class", b"\xca\xfe\xba\xbe\0\0\0\x34")),
        ("x__bin", b"!<arch>\nx", ("x__bin", b"!<arch> x")),
    ],
)
def test_native_code_is_flagged_and_listed(name: str, data: bytes, innocent: tuple[str, bytes]) -> None:
    found = examined(native, platform_wheel(**{name: data}))
    assert only(found, "native-code").severity == "medium"
    (listed,) = found.facts["native_files"]
    assert (listed["path"], listed["sha256"]) == (
        f"demo_plugin/{name.replace('__', '.')}",
        hashlib.sha256(data).hexdigest(),
    )
    assert ids(examined(native, platform_wheel(**{innocent[0]: innocent[1]}))) == []


def test_the_policy_may_trust_the_publisher() -> None:
    found = examined(native, platform_wheel(x__so=b"\x7fELF"), Context(native_allowed=True))
    assert only(found, "native-code").severity == "info"


def test_native_code_in_a_pure_wheel_is_critical() -> None:
    # Inspection refuses such a wheel; this check does not rely on it.
    subject = subject_of(platform_wheel(x__so=b"\x7fELF"))
    pure = replace(subject, wheel=replace(subject.wheel, root_is_purelib=True))
    assert only(native.examine(pure, Context(native_allowed=True)), "native-code-in-pure-wheel").severity == "critical"
    assert ids(native.examine(subject, Context())) == ["native-code"]

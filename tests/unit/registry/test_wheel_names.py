import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assess_registry.wheel.names import check_names, fold, name_problems
from tests.support.inspection import accepted, ids, refused
from tests.support.wheels import WheelBuilder, record_row
from tests.support.zips import Member

PLUGIN = WheelBuilder()
LIBRARY = WheelBuilder.dependency()

BAD = {
    "parent": "../evil.py",
    "parent inside": "demo_plugin/../../evil.py",
    "parent at the end": "demo_plugin/..",
    "this directory": "./evil.py",
    "this directory inside": "demo_plugin/./evil.py",
    "absolute": "/etc/cron.d/evil",
    "empty part": "demo_plugin//evil.py",
    "backslash": "demo_plugin\\evil.py",
    "backslash parent": "..\\evil.py",
    "drive": "C:/evil.py",
    "drive relative": "C:evil.py",
    "network share": "//host/share/evil.py",
    "stream": "demo_plugin/a.py:evil",
    "NUL": "demo_plugin/a.py\0.txt",
    "newline": "demo_plugin/a\nb.py",
    "escape": "demo_plugin/\x1b[2Ja.py",
    "delete": "demo_plugin/a\x7f.py",
    "C1 control": "demo_plugin/a\x9b.py",
    "right to left override": "demo_plugin/a\u202eyp.exe",
    "zero width": "demo_plugin/a\u200b.py",
    "line separator": "demo_plugin/a\u2028.py",
    "byte order mark": "\ufeffdemo_plugin/a.py",
    "trailing dot": "demo_plugin/a.py.",
    "trailing space": "demo_plugin/a.py ",
    "directory with a trailing dot": "demo_plugin./a.py",
    "leading space": " demo_plugin/a.py",
    "device": "demo_plugin/aux",
    "device in other case": "demo_plugin/NuL.py",
    "device directory": "con/a.py",
    "device with extensions": "demo_plugin/com1.tar.gz",
    "device with a superscript": "demo_plugin/com\xb9.py",
    "wildcard": "demo_plugin/*.py",
    "full width slash": "demo_plugin/a\uff0fb.py",
    "two dot leader": "demo_plugin/\u2025/evil.py",
    "full width colon": "demo_plugin/a\uff1ab.py",
    "long part": "demo_plugin/" + "a" * 256,
    "long path": "demo_plugin/" + "a/" * 20 + "b" * 250 + "/" + "c" * 250,
    "deep": "/".join("a" * 33),
}


@pytest.mark.parametrize("kind", ["plugin", "dependency"])
@pytest.mark.parametrize("name", BAD.values(), ids=BAD.keys())
def test_a_name_that_is_not_plain_is_refused(name: str, kind: str) -> None:
    builder = PLUGIN if kind == "plugin" else LIBRARY
    found = refused(builder.but(extra=(Member(name, b""),)), "plugin" if kind == "plugin" else "dependency")
    assert ids(found) == ["name"]


@pytest.mark.parametrize(
    "name", ["a.py", "a b.txt", "sub/.hidden", "\xfcn\xefcode.txt", "console.py", "com.py", "x..y", "-x", "a" * 200]
)
def test_control_plain_names_are_accepted(name: str) -> None:
    files = {"demo_plugin/__init__.py": "", f"demo_plugin/{name}": "x"}
    assert accepted(PLUGIN.but(files=files)).entries[1].path == f"demo_plugin/{name}"


COLLISIONS = {
    "twice": ("demo_plugin/a.py", "demo_plugin/a.py", "name-twice"),
    "case": ("demo_plugin/a.py", "demo_plugin/A.py", "name-collision"),
    "case of a directory": ("demo_plugin/a.py", "Demo_plugin/b.py", "name-collision"),
    "Unicode form": ("demo_plugin/\xe9.py", "demo_plugin/e\u0301.py", "name-collision"),
    "compatibility form": ("demo_plugin/fi.py", "demo_plugin/\ufb01.py", "name-collision"),
    "sharp s": ("demo_plugin/stra\xdfe.py", "demo_plugin/strasse.py", "name-collision"),
    "long s": ("demo_plugin/s.py", "demo_plugin/\u017f.py", "name-collision"),
    "file as directory": ("demo_plugin/a", "demo_plugin/a/b.py", "name-file-as-directory"),
    "file as directory, deep": ("demo_plugin/a", "demo_plugin/a/b/c.py", "name-file-as-directory"),
    "file as directory in other case": ("demo_plugin/A", "demo_plugin/a/b.py", "name-file-as-directory"),
}


@pytest.mark.parametrize("kind", ["plugin", "dependency"])
@pytest.mark.parametrize(("one", "other", "expected"), COLLISIONS.values(), ids=COLLISIONS.keys())
def test_two_names_for_one_file_are_refused(one: str, other: str, expected: str, kind: str) -> None:
    builder = PLUGIN if kind == "plugin" else LIBRARY
    tampered = builder.but(
        extra=(Member(one, b"1"), Member(other, b"2")),
        record=lambda rows: [*rows, record_row(one, b"1"), record_row(other, b"2")],
    )
    assert expected in ids(refused(tampered, "plugin" if kind == "plugin" else "dependency"))


def test_a_directory_entry_with_the_name_of_a_file_is_refused() -> None:
    directory = Member("somelib/__init__.py/", mode=0o040755)
    assert ids(refused(LIBRARY.but(extra=(directory,)), "dependency")) == ["name-file-as-directory"]
    assert accepted(LIBRARY.but(extra=(Member("somelib/", mode=0o040755),)), "dependency").entries


def test_all_bad_names_are_listed_at_once() -> None:
    found = refused(PLUGIN.but(extra=(Member("../a"), Member("/b"), Member("c:"))))
    assert [issue.entry for issue in found] == ["../a", "/b", "c:"]


@given(st.text(max_size=20), st.text(max_size=20))
def test_accepted_pairs_are_distinct_however_a_file_system_folds_them(one: str, other: str) -> None:
    if not list(check_names([one, other])):
        for form in (str.casefold, str.upper, lambda text: unicodedata.normalize("NFKD", text)):
            assert form(one) != form(other)


@given(st.text(alphabet="./\\:aA \0", max_size=12))
def test_accepted_names_stay_inside(name: str) -> None:
    if not list(name_problems(name)):
        assert not name.startswith("/")
        assert not {"", ".", ".."} & set(name.split("/"))
        assert not set(name) & set("\\:\0")


@given(st.text(max_size=30))
def test_folding_is_stable(text: str) -> None:
    assert fold(fold(text)) == fold(text)

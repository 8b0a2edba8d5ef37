"""What only text can decide is said in versions, and is true where it was."""

import pytest
from packaging.markers import Marker

from assess_registry.closure.plain_markers import plain

ENVIRONMENTS = [
    {"python_version": f"3.{minor}", "python_full_version": full, "implementation_version": full, "extra": ""}
    for minor in (8, 9, 10, 11, 12, 13, 15, 21, 30, 99)
    for full in (f"3.{minor}.0", f"3.{minor}.7", f"3.{minor}.12")
]


@pytest.mark.parametrize(
    "odd",
    [
        'python_version in "3.11, 3.12"',
        'python_version not in "3.11,3.12"',
        'python_version in "3.110"',
        'python_version in ""',
        'python_version not in ""',
        '"1" in python_version',
        '"3.1" not in python_version',
        '"3.12" in python_full_version',
        'python_full_version in "3.11.7 3.12.0"',
        'implementation_version not in "3.12.7"',
        'python_version === "3.12"',
        'python_version == "3.x"',
        'python_version != "3.x"',
        'python_version > "3.12rc1"',
        '"3.12" ~= python_version',
        'os_name == "in python_version" or (python_version in "3.12" and extra != "x")',
    ],
)
def test_it_says_the_same_everywhere(odd: str) -> None:
    said = plain(Marker(odd))
    assert said is not None
    assert said != Marker(odd)
    assert [said.evaluate(each) for each in ENVIRONMENTS] == [Marker(odd).evaluate(each) for each in ENVIRONMENTS]
    assert plain(said) == said


@pytest.mark.parametrize(
    "same",
    [
        'python_version < "3.12"',
        "python_version == '3.12.*'",
        'python_full_version ~= "3.12.1"',
        'sys_platform in "linux, darwin"',
        '"arm" in platform_machine',
        'extra == "python_version in 3.12"',
        'python_version ~= "3"',  # nobody can evaluate it, which is for others to say
    ],
)
def test_what_all_read_alike_is_left_alone(same: str) -> None:
    assert str(plain(Marker(same))) == str(Marker(same))


def test_what_would_need_a_list_of_all_pythons_is_not_said() -> None:
    assert plain(Marker('"7" in python_full_version')) is None
    assert plain(Marker('"7" in python_version')) is not None

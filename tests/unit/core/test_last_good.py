"""What was followed last is kept, byte for byte, and read as if it lay where it was read first."""

from pathlib import Path

import pytest

from assess_core.config import load
from assess_core.errors import ConfigError
from assess_core.up.last_good import NAME, Source

GOOD = (
    b'# ours\n[runtime]\nid = "web-01"\nstate_dir = "state"\n[registry]\nurl = "file:registry"\nroot = "1.root.json"\n'
)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "state").mkdir(mode=0o700)
    path = tmp_path / "assess.toml"
    path.write_bytes(GOOD)
    return Source(path, tmp_path / "state")


def test_what_was_followed_is_kept_and_comes_back_when_the_file_is_none(source: Source) -> None:
    assert source.last_good() is None
    good = source.load()
    assert source.keep(good)
    assert (source.copy.read_bytes(), source.copy.stat().st_mode & 0o777) == (GOOD, 0o600)
    source.path.write_text("[runtime]\nid = 3\n")
    with pytest.raises(ConfigError, match=r"runtime\.id"):
        source.load()
    kept = source.last_good()
    assert kept == good
    assert kept.runtime.state_dir == source.path.parent / "state", "relative to the file, not to the copy"
    source.instead(kept)
    assert source.load() == good
    with pytest.raises(ConfigError):
        source.load()


def test_what_changed_meanwhile_is_not_kept_for_it(source: Source) -> None:
    good = source.load()
    source.path.write_bytes(GOOD.replace(b"web-01", b"web-02"))
    assert not source.keep(good)
    assert not source.copy.exists()
    source.path.write_text("[[[")
    assert not source.keep(good)
    source.path.unlink()
    assert not source.keep(good)
    source.path.write_bytes(GOOD)
    assert source.keep(load(source.path))


def test_it_is_not_written_again_for_nothing(source: Source) -> None:
    assert source.keep(source.load())
    before = source.copy.stat().st_ino
    assert source.keep(source.load())
    assert source.copy.stat().st_ino == before


@pytest.mark.parametrize("damage", ["others may write", "not TOML", "a directory"])
def test_a_copy_that_is_none_any_more_is_not_used(damage: str, source: Source) -> None:
    assert source.keep(source.load())
    assert source.last_good() is not None
    if damage == "others may write":
        source.copy.chmod(0o666)
    elif damage == "not TOML":
        source.copy.write_text("[[[")
    else:
        source.copy.unlink()
        source.copy.mkdir()
    assert source.last_good() is None
    assert (source.copy.name, source.copy.parent.name) == (NAME, "state")

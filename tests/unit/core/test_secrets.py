"""A secret is read from where the configuration says, and shown nowhere."""

import os
from pathlib import Path

import pytest

from assess_core.secrets import MAX_SECRET_BYTES, Secret, SecretError, SecretSource

VALUE = "correct horse"


def file(tmp_path: Path, content: bytes = VALUE.encode() + b"\n", mode: int = 0o600) -> SecretSource:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return SecretSource.parse(f"file:{path}")


def test_each_source_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", VALUE)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    sources = [file(tmp_path), SecretSource.parse("env:DB_PASSWORD"), SecretSource.parse("credential:secret")]
    assert [source.read().value for source in sources] == [VALUE] * 3
    assert [source.path for source in sources] == [tmp_path / "secret", None, tmp_path / "secret"]


def test_no_text_of_it_shows_it() -> None:
    secret = Secret(VALUE)
    assert [str(secret), repr(secret), f"{secret}", f"{[secret]}"] == ["[secret]"] * 3 + ["[[secret]]"]


@pytest.mark.parametrize(
    "text",
    [VALUE, "", "env:", "env:A B", "env:1A", "file:relative", "file:", "file:/a\nb", "credential:../x",
     "credential:a/b", "credential:", "ENV:A", "keyring:x"],
)  # fmt: skip
def test_what_names_no_source_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match='expected "env:VARIABLE"') as caught:
        SecretSource.parse(text)
    assert text[-1:] in (":", "") or text not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o601])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SecretError, match=f"can be read by others .*mode {mode:04o}"):
        file(tmp_path, mode=mode).read()
    assert file(tmp_path, mode=0o400).read().value == VALUE, "the control"


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_file_that_somebody_else_owns_is_refused(tmp_path: Path) -> None:
    source = file(tmp_path)
    os.chown(tmp_path / "secret", 4711, 4711)
    with pytest.raises(SecretError, match=r"can be read by others .owner uid 4711"):
        source.read()


def test_a_credential_may_have_a_mask_where_a_file_has_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systemd gives a service its credentials by an ACL."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    source = file(tmp_path, mode=0o440)
    with pytest.raises(SecretError):
        source.read()
    assert SecretSource.parse("credential:secret").read().value == VALUE


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"short", "fewer than 6 characters"),
        (b"short\n", "fewer than 6 characters"),
        (b"", "fewer than 6 characters"),
        (b"correct\0horse", "NUL"),
        (b"correct\xffhorse", "no text"),
        (b"x" * (MAX_SECRET_BYTES + 1), "larger than"),
    ],
)
def test_what_cannot_be_a_secret_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(SecretError, match=why) as caught:
        file(tmp_path, content).read()
    assert "correct" not in str(caught.value)


def test_what_is_not_there_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("DB_PASSWORD", raising=False)
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "fifo", 0o600)
    for text, why in (
        (f"file:{tmp_path}/missing", "No such file"),
        (f"file:{tmp_path}/folder", "not a regular file"),
        (f"file:{tmp_path}/fifo", "not a regular file"),
        ("env:DB_PASSWORD", "not set in the runtime's environment"),
        ("credential:secret", "CREDENTIALS_DIRECTORY is not set"),
    ):
        with pytest.raises(SecretError, match=why) as caught:
            SecretSource.parse(text).read()
        assert text in str(caught.value)

import base64
import os
import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from assess_registry.errors import ConfigError, TrustError
from assess_registry.keys import (
    PublicKey,
    TrustedKeys,
    generate_key,
    load_private_key,
    load_trusted_keys,
    parse_public_key,
    write_key_pair,
    write_private_key,
)

P = 2**255 - 19

SMALL_ORDER = {
    "order 4": "00" * 32,
    "order 1": "01" + "00" * 31,
    "order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, other": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order 2": "ec" + "ff" * 30 + "7f",
    "order 4, not canonical": "ed" + "ff" * 30 + "7f",
    "order 1, not canonical": "ee" + "ff" * 30 + "7f",
}


def with_sign_bit(raw: bytes) -> bytes:
    return raw[:31] + bytes([raw[31] | 0x80])


@pytest.mark.parametrize("encoding", SMALL_ORDER.values(), ids=SMALL_ORDER)
@pytest.mark.parametrize("sign", [False, True], ids=["", "sign bit"])
def test_a_point_of_small_order_is_no_key(encoding: str, *, sign: bool) -> None:
    raw = with_sign_bit(bytes.fromhex(encoding)) if sign else bytes.fromhex(encoding)
    Ed25519PublicKey.from_public_bytes(raw)  # the library takes it: the refusal has to be ours
    with pytest.raises(ValueError, match=r"small order|not the canonical"):
        PublicKey(raw)


def test_under_a_small_order_key_one_signature_would_fit_every_message() -> None:
    weak = Ed25519PublicKey.from_public_bytes(bytes.fromhex(SMALL_ORDER["order 1"]))
    forged = bytes.fromhex(SMALL_ORDER["order 1"]) + bytes(32)
    weak.verify(forged, b"one message")  # does not raise: this is the attack that `PublicKey` shuts out
    weak.verify(forged, b"quite another")
    assert not generate_key().public.verifies(forged, b"one message")


@pytest.mark.parametrize("y", [P, P + 1, P + 2, 2**255 - 1])
def test_a_y_at_or_above_the_prime_is_a_second_spelling_and_refused(y: int) -> None:
    with pytest.raises(ValueError, match="canonical"):
        PublicKey(y.to_bytes(32, "little"))


def test_what_is_no_point_of_the_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="not a point"):
        PublicKey((2).to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PublicKey(bytes(length))


def test_generated_keys_pass_every_one_of_these_rules() -> None:
    keys = [generate_key() for _ in range(20)]
    assert len({key.public.id for key in keys}) == 20
    assert all(parse_public_key(key.public.pem()) == key.public for key in keys)


def test_the_id_is_derived_from_the_key() -> None:
    rfc8032_first = PublicKey(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
    assert rfc8032_first.id == "sha256:21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"


def test_a_signature_fits_its_data_and_key_only() -> None:
    key, other = generate_key(), generate_key()
    signature = key.sign(b"data")
    assert key.sign(b"data") == signature
    assert key.public.verifies(signature, b"data")
    assert not key.public.verifies(signature, b"datA")
    assert not other.public.verifies(signature, b"data")
    assert not key.public.verifies(signature[:-1], b"data")
    assert not key.public.verifies(signature + b"\0", b"data")


def pem_lines() -> list[str]:
    return generate_key().public.pem().splitlines()


def test_a_public_pem_has_one_spelling() -> None:
    begin, body, end = pem_lines()
    parse_public_key(f"{begin}\n{body}\n{end}\n")  # the control
    for broken in (
        f"{begin}\n{body[:-1]}\n{end}\n",
        f"{begin}\n{body[:20]}\n{body[20:]}\n{end}\n",
        f"{begin}\n {body}\n{end}\n",
        f"{begin}\n{body}\n{end}\n{begin}\n{body}\n{end}\n",
        f"{begin}\nProc-Type: 4\n{body}\n{end}\n",
        f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n",
        body,
        "",
    ):
        with pytest.raises(ValueError, match=r"base64|expected"):
            parse_public_key(broken)


def test_base64_with_set_unused_bits_is_refused() -> None:
    begin, body, end = pem_lines()
    assert body.endswith("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet[alphabet.index(body[-2]) + 1]
    twin = f"{body[:-2]}{last}="
    assert base64.b64decode(twin) == base64.b64decode(body)
    with pytest.raises(ValueError, match="canonical"):
        parse_public_key(f"{begin}\n{twin}\n{end}\n")


def test_a_key_of_another_algorithm_is_refused() -> None:
    body = base64.b64encode(bytes.fromhex("302a300506032b656e032100") + b"\x09" * 32).decode()
    with pytest.raises(ValueError, match="not an Ed25519"):
        parse_public_key(f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_written_pair_is_private_and_comes_back(tmp_path: Path, passphrase: bytes | None) -> None:
    key = generate_key()
    private, public = write_key_pair(tmp_path / "keys", "acme", key, passphrase=passphrase)
    assert private.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert load_private_key(private, passphrase=passphrase).public == key.public
    assert parse_public_key(public.read_text()) == key.public
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["acme.key", "acme.pub"]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    private, public = write_key_pair(tmp_path, "acme", generate_key())
    before = private.read_bytes(), public.read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        write_key_pair(tmp_path, "acme", generate_key())
    with pytest.raises(ConfigError, match="never overwritten"):  # also when it appears after the first look
        write_private_key(private, generate_key())
    assert (private.read_bytes(), public.read_bytes()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme.key", "acme.pub"]


def test_a_key_is_not_written_through_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "acme.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="never overwritten"):
        write_key_pair(tmp_path, "acme", generate_key())
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["", "../acme", "a/b", "Acme", ".hidden", "a" * 101])
def test_a_key_name_is_a_name_and_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="key name"):
        write_key_pair(tmp_path / "keys", name, generate_key())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601])
def test_a_private_key_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    private, _ = write_key_pair(tmp_path, "acme", generate_key())
    private.chmod(mode)
    with pytest.raises(TrustError, match="chmod 600") as refused:
        load_private_key(private)
    assert refused.value.step == "keys"
    private.chmod(0o400)
    load_private_key(private)


def test_what_is_no_private_key_is_refused_by_name(tmp_path: Path) -> None:
    private, _ = write_key_pair(tmp_path, "acme", generate_key(), passphrase=b"secret")
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, data in (("text.key", b"hello"), ("x25519.key", other), ("huge.key", b"x" * 5000)):
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o600)
    for name in ("text.key", "x25519.key", "huge.key", "absent.key"):
        with pytest.raises(ConfigError, match=name):
            load_private_key(tmp_path / name)
    for wrong in (None, b"guess"):
        with pytest.raises(ConfigError, match="passphrase"):
            load_private_key(private, passphrase=wrong)


def test_a_pipe_in_a_keys_place_does_not_hold_us(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "acme.key", 0o600)
    with pytest.raises(ConfigError, match="regular file"):
        load_private_key(tmp_path / "acme.key")


def test_a_private_key_shows_nothing_of_itself() -> None:
    key = generate_key()
    assert repr(key) == f"PrivateKey(public={key.public.id!r})"
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_trusted_keys_are_all_pub_files_by_name(tmp_path: Path) -> None:
    keys = {name: generate_key().public for name in ("b-key", "a-key")}
    for name, key in keys.items():
        (tmp_path / f"{name}.pub").write_text(key.pem())
    (tmp_path / "README").write_text("not a key")
    trusted = load_trusted_keys(tmp_path)
    assert [(entry.name, entry.key) for entry in trusted] == [("a-key", keys["a-key"]), ("b-key", keys["b-key"])]


def test_every_bad_trusted_key_is_named_at_once(tmp_path: Path) -> None:
    good = generate_key().public.pem()
    weak = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + bytes(32)).decode()
    (tmp_path / "good.pub").write_text(good)
    load_trusted_keys(tmp_path)  # the control
    (tmp_path / "twin.pub").write_text(good)
    (tmp_path / "weak.pub").write_text(f"-----BEGIN PUBLIC KEY-----\n{weak}\n-----END PUBLIC KEY-----\n")
    (tmp_path / "text.pub").write_text("hello")
    with pytest.raises(TrustError) as refused:
        load_trusted_keys(tmp_path)
    assert {(issue.id, issue.entry) for issue in refused.value.issues} == {
        ("key-duplicate", "twin.pub"),
        ("key-unusable", "weak.pub"),
        ("key-unusable", "text.pub"),
    }


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_trusted_key_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "acme.pub"
    path.write_text(generate_key().public.pem())
    path.chmod(0o644)
    load_trusted_keys(tmp_path)  # the control
    path.chmod(mode)
    with pytest.raises(TrustError, match=rf"{path}[\s\S]* mode {mode:04o}") as refused:
        load_trusted_keys(tmp_path)
    assert refused.value.step == "keys"
    assert f"chmod go-w {path}" in refused.value.next_step


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, 0o757])
def test_a_directory_of_trusted_keys_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "acme.pub").write_text(generate_key().public.pem())
    tmp_path.chmod(0o755)
    load_trusted_keys(tmp_path)  # the control
    tmp_path.chmod(mode)
    with pytest.raises(TrustError, match=rf"{tmp_path}[\s\S]* mode {mode:04o}") as refused:
        load_trusted_keys(tmp_path)
    assert refused.value.step == "keys"
    assert f"chmod go-w {tmp_path}" in refused.value.next_step


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")
@pytest.mark.parametrize("name", [".", "acme.pub"])
def test_trusted_keys_of_another_user_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "acme.pub").write_text(generate_key().public.pem())
    load_trusted_keys(tmp_path)  # the control
    os.chown(tmp_path / name, 65534, 65534)
    with pytest.raises(TrustError, match=r"owner uid 65534") as refused:
        load_trusted_keys(tmp_path)
    assert refused.value.step == "keys"
    assert f"chown root {tmp_path / name}" in refused.value.next_step


def test_a_trusted_key_may_be_a_link_but_not_to_what_others_can_write(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text(generate_key().public.pem())
    (tmp_path / "keys").mkdir(mode=0o755)
    (tmp_path / "keys/acme.pub").symlink_to(target)
    assert len(load_trusted_keys(tmp_path / "keys").keys) == 1
    target.chmod(0o666)
    with pytest.raises(TrustError, match=r"acme\.pub[\s\S]* mode 0666"):
        load_trusted_keys(tmp_path / "keys")


def test_no_trusted_key_is_a_mistake_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent"):
        load_trusted_keys(tmp_path / "absent")
    with pytest.raises(ConfigError, match="found 0"):
        load_trusted_keys(tmp_path)


def test_one_key_cannot_be_trusted_twice() -> None:
    key = generate_key().public
    with pytest.raises(ValueError, match="two names"):
        TrustedKeys.of(key, key)

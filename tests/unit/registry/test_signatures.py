import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assess_registry.errors import TrustError
from assess_registry.keys import TrustedKeys, generate_key
from assess_registry.signatures import decode_signature, sign_detached, verify_detached

KEY = generate_key()
TRUSTED = TrustedKeys.of(generate_key().public, KEY.public)
DATA = b"the bytes of a wheel"
GOOD = sign_detached(DATA, KEY)


def test_a_signature_verifies_and_names_its_key() -> None:
    assert verify_detached(DATA, GOOD, TRUSTED) == KEY.public.id
    assert sign_detached(DATA, KEY) == GOOD
    assert len(GOOD) == 89


def twin() -> bytes:
    """Other text that decodes to the same 64 bytes."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = GOOD[:-1]
    raw = body[:-3] + bytes([alphabet[alphabet.index(body[-3]) + 1]]) + b"==\n"
    assert base64.b64decode(raw) == base64.b64decode(GOOD)
    return raw


MALFORMED = {
    "none": b"",
    "only a newline": b"\n",
    "without its newline": GOOD[:-1],
    "one newline more": GOOD + b"\n",
    "a carriage return": GOOD[:-1] + b"\r\n",
    "another last byte": GOOD[:-1] + b" ",
    "one byte short": base64.b64encode(base64.b64decode(GOOD)[:-1]) + b"\n",
    "one byte long": base64.b64encode(base64.b64decode(GOOD) + b"\0") + b"\n",
    "66 bytes in 88 characters": base64.b64encode(bytes(66)) + b"\n",
    "65 bytes in 88 characters": base64.b64encode(bytes(65)) + b"\n",
    "unused bits set": twin(),
    "no padding": GOOD.replace(b"=", b"A"),
    "url-safe alphabet": base64.urlsafe_b64encode(b"\xff" * 64) + b"\n",
    "raw bytes": base64.b64decode(GOOD),
    "twice": GOOD + GOOD,
}


@pytest.mark.parametrize("signature", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_the_one_spelling_is_refused(signature: bytes) -> None:
    with pytest.raises(TrustError, match="malformed") as refused:
        verify_detached(DATA, signature, TRUSTED, thing="x.whl")
    assert (refused.value.step, refused.value.thing) == ("signature", "x.whl")


def test_a_signature_over_other_bytes_is_refused() -> None:
    with pytest.raises(TrustError, match="no trusted key"):
        verify_detached(DATA + b"\0", GOOD, TRUSTED)


def test_a_signature_by_a_key_that_is_not_trusted_is_refused() -> None:
    with pytest.raises(TrustError, match="no trusted key"):
        verify_detached(DATA, sign_detached(DATA, generate_key()), TRUSTED)


def test_without_trusted_keys_nothing_is_trusted() -> None:
    with pytest.raises(TrustError, match="one of: none"):
        verify_detached(DATA, GOOD, TrustedKeys(()))


@given(st.binary(min_size=89, max_size=89))
def test_whatever_decodes_has_exactly_one_spelling(content: bytes) -> None:
    try:
        raw = decode_signature(content)
    except ValueError:
        return
    assert base64.b64encode(raw) + b"\n" == content


@given(st.integers(0, 88), st.integers(1, 255))
def test_one_changed_byte_of_a_signature_never_verifies(position: int, change: int) -> None:
    broken = bytearray(GOOD)
    broken[position] ^= change
    with pytest.raises(TrustError):
        verify_detached(DATA, bytes(broken), TRUSTED)

"""Which 32 bytes are an Ed25519 public key that is safe to verify with; pure arithmetic, no library."""

from functools import lru_cache

PUBLIC_KEY_BYTES = 32

_P = 2**255 - 19
"""The field's prime (RFC 8032, 5.1)."""

_D = -121665 * pow(121666, -1, _P) % _P
"""The curve's constant d (RFC 8032, 5.1)."""

_SMALL_ORDER_Y = frozenset(
    (
        0,
        1,
        _P - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    )
)
"""The y of all eight points of small order. Under such a key one forged signature fits every message, and neither
OpenSSL nor cryptography refuses it."""


def check_point(raw: bytes) -> None:
    """These bytes are the one encoding of a point of the curve that is not of small order.

    Raises:
        ValueError: they are not; the message says which of these.
    """
    if len(raw) != PUBLIC_KEY_BYTES:
        raise ValueError(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, this one {len(raw)}")
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _P:
        raise ValueError("not the canonical encoding of a point: y is not below 2^255-19 (RFC 8032, 5.1.3)")
    if y in _SMALL_ORDER_Y:
        raise ValueError("a point of small order: one forged signature would fit every message")
    if not _on_curve(y):
        raise ValueError("not a point of the curve (RFC 8032, 5.1.3)")


@lru_cache(maxsize=1024)  # a registry has a few dozen keys, and each is read with every document that names it
def _on_curve(y: int) -> bool:
    """Whether some x has -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032, 5.1.3), by Euler's criterion."""
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    return x_squared == 0 or pow(x_squared, (_P - 1) // 2, _P) == 1

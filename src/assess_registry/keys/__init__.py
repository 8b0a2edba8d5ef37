"""Ed25519 keys: a `PublicKey` that exists is a safe one, a private key file that others can read is not used."""

from assess_registry.keys.ed25519 import SIGNATURE_BYTES
from assess_registry.keys.point import PUBLIC_KEY_BYTES
from assess_registry.keys.private import (
    KEY_SUFFIX,
    PrivateKey,
    generate_key,
    load_private_key,
    write_key_pair,
    write_private_key,
)
from assess_registry.keys.public import (
    MAX_PEM_BYTES,
    PUBLIC_SUFFIX,
    KeyId,
    PublicKey,
    load_public_key,
    parse_base64_key,
    parse_key_id,
    parse_public_key,
)
from assess_registry.keys.ring import KeyRing, RingKey
from assess_registry.keys.roles import ROLES, Role, check_distinct
from assess_registry.keys.timed import TimedKey
from assess_registry.keys.trusted import MAX_TRUSTED_KEYS, TrustedKey, TrustedKeys, load_trusted_keys

__all__ = [
    "KEY_SUFFIX",
    "MAX_PEM_BYTES",
    "MAX_TRUSTED_KEYS",
    "PUBLIC_KEY_BYTES",
    "PUBLIC_SUFFIX",
    "ROLES",
    "SIGNATURE_BYTES",
    "KeyId",
    "KeyRing",
    "PrivateKey",
    "PublicKey",
    "RingKey",
    "Role",
    "TimedKey",
    "TrustedKey",
    "TrustedKeys",
    "check_distinct",
    "generate_key",
    "load_private_key",
    "load_public_key",
    "load_trusted_keys",
    "parse_base64_key",
    "parse_key_id",
    "parse_public_key",
    "write_key_pair",
    "write_private_key",
]

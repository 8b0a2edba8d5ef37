"""The reading side of a registry, and all of the registry that the runtime may see.

    config = RegistryConfig(url="https://registry.example/", root=Path("1.root.json"), state=Path("state/trust"))
    with Registry(config) as registry:
        target = Target.running()
        resolved = resolve(Requirement("demo-plugin~=1.2"), registry=registry, target=target)
        verified = verify(fetch(resolved, registry=registry), registry=registry, target=target)

Every refusal is a `TrustError` that names its step. Nothing here writes a file but the trust state of a registry whose
root is configured, and importing it contacts nobody and loads neither tuf nor httpx.
"""

from assess_registry.catalogue import VERDICT_SUFFIX
from assess_registry.client.fetch import FetchedWheel, fetch
from assess_registry.client.installed import InstalledWheel, check_installed
from assess_registry.client.kept import KeptWheel, reopen
from assess_registry.client.location import absolute_url, parse_base
from assess_registry.client.registry import Registry, RegistryConfig
from assess_registry.client.resolve import ResolvedWheel, resolve
from assess_registry.client.target import Target
from assess_registry.client.transport import Access, Credentials
from assess_registry.client.trust import RoleTerm
from assess_registry.client.verify import VerifiedWheel, verify
from assess_registry.dsse import MAX_ENVELOPE_BYTES
from assess_registry.errors import (
    ConfigError,
    ExpiredError,
    Issue,
    NotPublishedError,
    PublishError,
    RegistryError,
    RevokedError,
    TransportError,
    TrustError,
    UnservedError,
    WheelError,
)
from assess_registry.files import LockTimeoutError, atomic_write, file_lock, read_bounded, sync_directory
from assess_registry.keys import (
    KeyId,
    PrivateKey,
    PublicKey,
    TrustedKeys,
    generate_key,
    load_private_key,
    load_public_key,
    parse_base64_key,
    write_key_pair,
)
from assess_registry.keys.way import read_guarded
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, MAX_LOCKED_BYTES, Lock, LockedWheel, parse_lock
from assess_registry.manifest import (
    SEVERITIES,
    CheckSpec,
    Limits,
    Manifest,
    ManifestError,
    Permissions,
    SettingsError,
    SettingSpec,
    Severity,
    parse_manifest,
    read_ceiling,
)
from assess_registry.names import (
    PLUGIN_GROUP,
    PROVIDER_GROUP,
    PluginName,
    ProjectName,
    Sha256,
    normalize_project,
    parse_id,
    parse_plugin_name,
    parse_project,
    parse_sha256,
    parse_version,
)
from assess_registry.signatures import SIGNATURE_FILE_BYTES, SIGNATURE_SUFFIX, verify_detached
from assess_registry.text import indented, plain, plain_lines, table
from assess_registry.valid_json import valid
from assess_registry.verdict import Approval, permissions_table, permissions_words
from assess_registry.wheel import EntryPoint, InspectedWheel, UnpackedFile, WheelEntry, inspect, unpacked_files

__all__ = [
    "LOCK_NAME",
    "MAX_ENVELOPE_BYTES",
    "MAX_LOCKED_BYTES",
    "MAX_LOCK_BYTES",
    "PLUGIN_GROUP",
    "PROVIDER_GROUP",
    "SEVERITIES",
    "SIGNATURE_FILE_BYTES",
    "SIGNATURE_SUFFIX",
    "VERDICT_SUFFIX",
    "Access",
    "Approval",
    "CheckSpec",
    "ConfigError",
    "Credentials",
    "EntryPoint",
    "ExpiredError",
    "FetchedWheel",
    "InspectedWheel",
    "InstalledWheel",
    "Issue",
    "KeptWheel",
    "KeyId",
    "Limits",
    "Lock",
    "LockTimeoutError",
    "LockedWheel",
    "Manifest",
    "ManifestError",
    "NotPublishedError",
    "Permissions",
    "PluginName",
    "PrivateKey",
    "ProjectName",
    "PublicKey",
    "PublishError",
    "Registry",
    "RegistryConfig",
    "RegistryError",
    "ResolvedWheel",
    "RevokedError",
    "RoleTerm",
    "SettingSpec",
    "SettingsError",
    "Severity",
    "Sha256",
    "Target",
    "TransportError",
    "TrustError",
    "TrustedKeys",
    "UnpackedFile",
    "UnservedError",
    "VerifiedWheel",
    "WheelEntry",
    "WheelError",
    "absolute_url",
    "atomic_write",
    "check_installed",
    "fetch",
    "file_lock",
    "generate_key",
    "indented",
    "inspect",
    "load_private_key",
    "load_public_key",
    "normalize_project",
    "parse_base",
    "parse_base64_key",
    "parse_id",
    "parse_lock",
    "parse_manifest",
    "parse_plugin_name",
    "parse_project",
    "parse_sha256",
    "parse_version",
    "permissions_table",
    "permissions_words",
    "plain",
    "plain_lines",
    "read_bounded",
    "read_ceiling",
    "read_guarded",
    "reopen",
    "resolve",
    "sync_directory",
    "table",
    "unpacked_files",
    "valid",
    "verify",
    "verify_detached",
    "write_key_pair",
]

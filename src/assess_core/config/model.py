"""Every key of `assess.toml`: its type, its default, what it means. pydantic stays in this package.

A `Config` that exists is valid in itself: names are normal, numbers possible, relative paths made absolute. What needs
the installed plugins (does this plugin exist, does a check match, are these settings accepted) is asked later, with
`match_checks`, `unknown_name` and the manifests. Keys that do not work yet are unknown keys.

docs/configuration.md says the same of every key, in the same words; `tests/unit/core/test_config_docs.py` sees to it.
"""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from assess_core.config.values import (
    APPROVED,
    absolute_path,
    calls,
    ceiling_of,
    check_pattern,
    credentials,
    days,
    grant_of_all_or_table,
    host_name,
    identifier,
    label,
    nothing_twice,
    plugin_name,
    project_name,
    proxy_url,
    registry_url,
    runtime_id,
    seconds,
    secret_source,
    something,
    version_specifier,
    workers,
)
from assess_core.grants import Ceiling
from assess_core.secrets import SecretSource
from assess_registry.client import Access, Credentials, PluginName, ProjectName


class Origin(NamedTuple):
    """Where a configuration was read: handed to validation as its context."""

    file: Path

    @property
    def directory(self) -> Path:
        """What relative paths in the file are relative to."""
        return self.file.absolute().parent


def _path(value: object, info: Any) -> object:
    return absolute_path(value, _origin(info).directory) if isinstance(value, str) else value


def _url(value: str, info: Any) -> str:
    return registry_url(value, _origin(info).directory)


def _credentials(value: Mapping[str, str], info: Any) -> Mapping[str, str]:
    credentials(value, _origin(info).directory)
    return value


def _origin(info: Any) -> Origin:
    return info.context if isinstance(info.context, Origin) else Origin(Path("assess.toml"))


FilePath = Annotated[Path, BeforeValidator(_path)]
Url = Annotated[str, AfterValidator(_url)]
Seconds = Annotated[float, AfterValidator(seconds)]
Calls = Annotated[int, AfterValidator(calls)]
Workers = Annotated[int, AfterValidator(workers)]
Paths = Annotated[
    tuple[FilePath, ...],
    Field(strict=False),  # TOML has lists; everything inside stays strict
    AfterValidator(nothing_twice),
]
Labels = Mapping[Annotated[str, AfterValidator(label)], Annotated[str, AfterValidator(label)]]
Patterns = Annotated[
    tuple[Annotated[str, AfterValidator(check_pattern)], ...],
    Field(strict=False),  # TOML has lists; everything inside stays strict
    AfterValidator(something),
    AfterValidator(nothing_twice),
]


class Table(BaseModel):
    """What all tables share: unknown keys are errors, nothing is converted, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=False)


class RuntimeConfig(Table):
    """This runtime."""

    id: Annotated[str, AfterValidator(runtime_id)] = Field(
        default_factory=lambda: host_name(socket.gethostname()),
        description="name of this runtime in every result; changing it starts a new history",
        examples=["web-01"],
    )
    labels: Labels = Field(
        default_factory=dict,
        description="what providers may select by",
        examples=[{"env": "prod", "role": "web"}],
    )
    state_dir: FilePath | None = Field(
        default=None,
        description="where plugins, results and trust are kept; --state-dir and ASSESS_STATE_DIR outrank it; "
        "if none is set, `$XDG_STATE_HOME/assess` or `~/.local/state/assess`",
        examples=[".assess/state"],
    )
    require_isolation: Literal["full", "none"] = Field(
        default="full",
        description="`full`: a plugin that cannot be isolated here does not start; `none`: where the kernel lacks the "
        "means, plugins run with all rights of the runtime's user; every result then says so",
        examples=["none"],
    )
    run_plugins_without_isolation: bool = Field(
        default=False,
        description="isolate no plugin at all, for finding faults in one on a machine that holds nothing of value; "
        "every result says so",
        examples=[True],
    )
    calls: Calls = Field(
        default=0,
        description="calls of plugins at a time, all assessments together; 0: four for each processor, at least 8",
        examples=[16],
    )
    start_workers: Literal["fork", "spawn"] = Field(
        default="fork",
        description="`fork`: an isolated plugin's process is forked from one that has what all need in memory; "
        "`spawn`: each begins by itself, slower, and with a memory layout of its own",
        examples=["spawn"],
    )
    interpreters: Paths = Field(
        default=(),
        description="Pythons that plugins may run under besides the runtime's own, the best first; if empty, those "
        "that are found on this machine",
        examples=[["/usr/bin/python3.13"]],
    )
    shared_store: FilePath | None = Field(
        default=None,
        description="state directory, of root or of the runtime's user, whose installed plugins are used where they "
        "lie; nothing is written there",
        examples=["/srv/assess"],
    )

    @property
    def relaxed(self) -> tuple[str, ...]:
        """What is taken away from the usual protection, as results say it."""
        said = []
        if self.require_isolation != "full":
            said.append(f'runtime.require_isolation = "{self.require_isolation}"')
        if self.run_plugins_without_isolation:
            said.append("runtime.run_plugins_without_isolation = true")
        return tuple(said)


class RegistrySettings(Table):
    """Where plugins come from, and what is known of it beforehand."""

    url: Url = Field(
        description="root of the registry: `https://HOST/PATH`, `http://` on loopback only, or `file:PATH`",
        examples=["file:simple-index"],
    )
    root: FilePath = Field(
        description="the registry's first root metadata, got from its maintainer by another way than the registry: "
        "everything it says is held against this file",
        examples=["1.root.json"],
    )
    development: bool = Field(
        default=False,
        description="accept it even if its signed word says `development`: one person holds all its keys; every "
        "result then says so",
        examples=[True],
    )
    timeout_s: Seconds = Field(
        default=60.0,
        description="seconds for one whole operation on the registry",
        examples=[30],
    )
    max_staleness_d: Annotated[float, AfterValidator(days)] = Field(
        default=30.0,
        description="days for which what is installed may run on without word from the registry",
        examples=[7],
    )
    refresh_s: Seconds = Field(
        default=300.0,
        description="seconds after which a runtime that goes on running asks the registry again; give or take a tenth",
        examples=[60],
    )
    proxy: Annotated[str, AfterValidator(proxy_url)] = Field(
        default="",
        description="`http://HOST:PORT` through which an https registry is reached; nothing is taken from the "
        "environment",
        examples=["http://proxy.example.org:3128"],
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="certificates of the authorities that may vouch for the registry's host, instead of the system's",
        examples=["ca.pem"],
    )
    credentials: Annotated[Mapping[str, str], AfterValidator(_credentials)] | None = Field(
        default=None,
        description='who asks: `kind` is `"basic"`, with `user`, or `"bearer"`; the secret is in `file`, which nobody '
        "else may read, or in the variable `env`",
        examples=[{"kind": "bearer", "env": "ASSESS_REGISTRY_TOKEN"}],
    )

    _directory: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any, /) -> None:
        """Remember what relative paths are relative to."""
        if isinstance(context, Origin):
            self._directory = context.directory

    @property
    def access(self) -> Access:
        """How the registry is reached."""
        who: Credentials | None = None
        if self.credentials is not None:
            who = credentials(self.credentials, self._directory)
        return Access(proxy=self.proxy, ca_file=self.ca_file, credentials=who)


class PluginConfig(Table):
    """One distribution that must be installed, or all that lie in a folder."""

    name: Annotated[ProjectName, AfterValidator(project_name)] | None = Field(
        default=None,
        description="the distribution, normalised as PEP 503 says; required but with `dir`, which without a name is "
        "about every plugin of the folder",
        examples=["assess-host-baseline"],
    )
    version: Annotated[str, AfterValidator(version_specifier)] = Field(
        default="",
        description="which versions may run (PEP 440 specifier); empty means any",
        examples=["~=1.2"],
    )
    settings: Mapping[str, Any] = Field(
        default_factory=dict,
        description="the plugin's own settings, as its manifest declares them",
        examples=[{"minimum_versions": {"openssl": "3.0.15"}}],
    )
    grant: Annotated[str | Mapping[str, Any], BeforeValidator(grant_of_all_or_table)] = Field(
        default=APPROVED,
        description='what it may do of what it asks for: `"approved"` is all of it; a table grants at most what stands '
        "in its keys `read` `stat` `commands` `network` `env` `secrets`, and leaves the keys that it does not have as "
        "approved",
        examples=[{"read": ["/etc/ssh"], "network": []}],
    )
    secrets: Mapping[Annotated[str, AfterValidator(label)], Annotated[str, AfterValidator(secret_source)]] = Field(
        default_factory=dict,
        description="where each secret is that it asks for: `env:VARIABLE` of the runtime, `file:/PATH` that nobody "
        "else may read, or `credential:NAME` of systemd",
        examples=[{"token": "credential:inventory-token"}],
    )
    run_with_less: bool = Field(
        default=False,
        description="start it although something that it asks for is not granted; otherwise it does not start",
        examples=[True],
    )
    workers: Workers = Field(
        default=1,
        description="processes of it, which is how many of its calls run at a time; 1 to 64",
        examples=[4],
    )
    dir: FilePath | None = Field(
        default=None,
        description="take it from this folder of plugins instead of the registry; all of the folder is verified, or "
        "refused as a whole",
        examples=["plugins"],
    )
    trusted_keys: FilePath | None = Field(
        default=None,
        description="directory of the publishers' public keys, `*.pub`, that count for this folder; required with "
        "`dir`",
        examples=["keys"],
    )

    @property
    def ceiling(self) -> Ceiling | None:
        """What is granted at most; None for all that is approved."""
        return None if isinstance(self.grant, str) else ceiling_of(self.grant)[0]

    @property
    def secret_sources(self) -> Mapping[str, SecretSource]:
        """Where each secret is, by the name that the manifest has for it."""
        return {name: SecretSource.parse(text) for name, text in self.secrets.items()}


class AssessmentConfig(Table):
    """What is assessed: which plugin, on which subjects, with which checks."""

    id: Annotated[str, AfterValidator(identifier)] = Field(
        description="name of this assessment in every result; each once",
        examples=["host"],
    )
    plugin: Annotated[PluginName, AfterValidator(plugin_name)] = Field(
        description="the plugin that assesses: an entry point of a distribution in `[[plugins]]`",
        examples=["host-baseline"],
    )
    provider: Annotated[PluginName, AfterValidator(plugin_name)] = Field(
        description="the provider that finds the subjects: likewise an entry point",
        examples=["local-host"],
    )
    selector: Mapping[str, Any] = Field(
        default_factory=dict,
        description="handed to the provider: which subjects; what it understands is the provider's to say",
        examples=[{"labels": {"role": "web"}}],
    )
    checks: Patterns = Field(
        default=("*",),
        description="check ids, or patterns of them with `*` and `?`; each must match something",
        examples=[["sysctl-*", "sshd-permit-root-login"]],
    )
    timeout_s: Seconds | None = Field(
        default=None,
        description="seconds for one call of the plugin or the provider; if unset, what the plugin's manifest says",
        examples=[120],
    )
    enabled: bool = Field(
        default=True,
        description="whether it is carried out at all",
        examples=[False],
    )


class Config(Table):
    """A whole `assess.toml`."""

    runtime: RuntimeConfig = Field(default_factory=RuntimeConfig, description="this runtime")
    registry: RegistrySettings | None = Field(
        default=None, description="where plugins come from, and what is known of it beforehand"
    )
    plugins: Annotated[tuple[PluginConfig, ...], Field(strict=False)] = Field(
        default=(), description="the distributions that must be installed; no others run"
    )
    assessments: Annotated[tuple[AssessmentConfig, ...], Field(strict=False)] = Field(
        default=(), description="what is assessed"
    )

    _source: Path = PrivateAttr(default=Path("assess.toml"))

    def model_post_init(self, context: Any, /) -> None:
        """Remember where this was read."""
        if isinstance(context, Origin):
            self._source = context.file

    @property
    def source(self) -> Path:
        """The file this was read from, for messages that name a key in it."""
        return self._source


TABLES: Mapping[str, type[Table]] = {
    "": Config,
    "runtime": RuntimeConfig,
    "registry": RegistrySettings,
    "plugins": PluginConfig,
    "assessments": AssessmentConfig,
}
"""Every table by its name in the file; the empty name is the file itself."""

REPEATED = frozenset(("plugins", "assessments"))
"""Tables written with double brackets."""

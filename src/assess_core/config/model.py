"""Every key of `assess.toml`: its type, its default, what it means. pydantic stays in this package.

A `Config` that exists is valid in itself: names are normal, numbers possible, relative paths made absolute. What needs
the installed plugins (does this plugin exist, does a check match, are these settings accepted) is asked later, with
`match_checks`, `unknown_name` and the manifests. Keys that do not work yet are unknown keys.

docs/configuration.md says the same of every key, in the same words; `tests/unit/core/test_config_docs.py` sees to it.
"""

import socket
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr
from pydantic.fields import FieldInfo

from assess_core.config.values import (
    APPROVED,
    absolute_path,
    calls,
    ceiling_of,
    check_pattern,
    credentials,
    day,
    days,
    duration,
    grant_of_all_or_table,
    host_name,
    identifier,
    kept_days,
    label,
    lateness,
    loopback,
    mebibytes,
    moment,
    nothing_twice,
    notice_days,
    plugin_name,
    project_name,
    proxy_url,
    reason,
    registry_url,
    retries,
    retry_after,
    runtime_id,
    seconds,
    secret_source,
    something,
    subject_id,
    time_zone,
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
Duration = Annotated[str, AfterValidator(duration)]
Zone = Annotated[str, AfterValidator(time_zone)]
Moment = Annotated[datetime, BeforeValidator(moment)]
Text = Annotated[str, AfterValidator(reason)]
Calls = Annotated[int, AfterValidator(calls)]
Retries = Annotated[int, AfterValidator(retries)]
RetryAfter = Annotated[float, AfterValidator(retry_after)]
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
    tz: Zone = Field(
        default="UTC",
        description="time zone of schedules and maintenance that name none",
        examples=["Europe/Berlin"],
    )
    stop_within_s: Seconds = Field(
        default=60.0,
        description="seconds for which a runtime that is stopped lets its runs go on; those that are ended then run "
        "again at the next start",
        examples=[20],
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
    schedule: str = Field(
        default="",
        description="when it is due: `every 15m`, or a cron expression of 5 fields, or 6 with seconds first; if empty, "
        "when somebody asks for it",
        examples=["30 2 * * *"],
    )
    tz: Zone | None = Field(
        default=None,
        description="time zone of its cron expression; if unset, `runtime.tz`",
        examples=["Europe/Berlin"],
    )
    jitter: Duration | None = Field(
        default=None,
        description="it begins up to this much later than it is due, each runtime by an amount of its own that stays; "
        "if unset, nothing for cron, and a tenth of the period, at most 5 minutes, for `every`",
        examples=["5m"],
    )
    overlap: Literal["skip", "queue", "parallel"] = Field(
        default="skip",
        description="when it is due while it runs: `skip` it, `queue` one, or run up to eight in `parallel`",
        examples=["queue"],
    )
    misfire: Literal["run_once", "skip"] = Field(
        default="run_once",
        description="when due times were missed: `run_once` for the last of them, or `skip` them",
        examples=["skip"],
    )
    grace_s: Annotated[float, AfterValidator(lateness)] = Field(
        default=60.0,
        description="seconds of lateness that do not count as missed",
        examples=[300],
    )
    retries: Retries = Field(
        default=0,
        description="times that checks which ended in an error or a timeout are asked again within the run; 0 to 5",
        examples=[2],
    )
    retry_after_s: RetryAfter = Field(
        default=30.0,
        description="seconds before the first of them, give or take half; twice as many before each further one, at "
        "most an hour",
        examples=[10],
    )


class MaintenanceConfig(Table):
    """A time in which no run begins."""

    id: Annotated[str, AfterValidator(identifier)] = Field(
        description="name of this window where it is said why nothing ran; each once",
        examples=["patching"],
    )
    opens: str = Field(
        default="",
        description="when it begins, again and again: a cron expression of 5 fields",
        examples=["0 22 * * SAT"],
    )
    tz: Zone | None = Field(
        default=None,
        description="time zone of `opens`; if unset, `runtime.tz`",
        examples=["Europe/Berlin"],
    )
    duration: Duration | None = Field(
        default=None,
        description="how long it lasts, in time that passes; required with `opens`",
        examples=["4h"],
    )
    from_: Moment | None = Field(
        default=None,
        alias="from",
        description="when it begins, once",
        examples=[datetime.fromisoformat("2027-03-27T22:00:00+01:00")],
    )
    until: Moment | None = Field(
        default=None,
        description="when it is over; required with `from`",
        examples=[datetime.fromisoformat("2027-03-28T06:00:00+02:00")],
    )
    assessments: Patterns = Field(
        default=("*",),
        description="ids of assessments, or patterns of them with `*` and `?`; each must match something",
        examples=[["host", "web-*"]],
    )
    when: Literal["after", "skip"] = Field(
        default="after",
        description="what was due meanwhile: one run when all windows are over (`after`), or none (`skip`)",
        examples=["skip"],
    )


class ResultsConfig(Table):
    """What is kept of earlier runs."""

    keep_days: Annotated[int, AfterValidator(kept_days)] = Field(
        default=400,
        description="days for which runs are kept; the newest of each assessment, and its newest complete one, stay",
        examples=[90],
    )
    evidence_mib: Annotated[int, AfterValidator(mebibytes)] = Field(
        default=2048,
        description="MiB of evidence that are kept; beyond, that of the oldest runs goes first",
        examples=[512],
    )
    waiver_notice_d: Annotated[int, AfterValidator(notice_days)] = Field(
        default=14,
        description="days before its end from which a waiver is said to be expiring",
        examples=[30],
    )


class WaiverConfig(Table):
    """One failure that somebody knows of, and answers for."""

    check: Annotated[str, AfterValidator(identifier)] = Field(
        description="the check's id, exactly",
        examples=["sshd-permit-root-login"],
    )
    subject: Annotated[str, AfterValidator(subject_id)] = Field(
        description="the subject's id, exactly as results name it",
        examples=["host:web-01"],
    )
    owner: Text = Field(
        description="who answers for it",
        examples=["Ada of the platform team"],
    )
    reason: Text = Field(
        description="why it is left as it is",
        examples=["vendor appliance, replaced in March"],
    )
    expires: Annotated[date, BeforeValidator(day)] = Field(
        description="the last day on which it counts, in UTC; at most two years ahead",
        examples=[date(2027, 3, 31)],
    )


class ObserveConfig(Table):
    """What a runtime that goes on running shows of itself."""

    listen: Annotated[str, AfterValidator(loopback)] = Field(
        default="",
        description="loopback address and port of `/healthz`, `/readyz` and `/metrics`; if empty, nothing listens",
        examples=["127.0.0.1:9464"],
    )
    log: Literal["text", "json"] = Field(
        default="text",
        description="its log on standard error: lines for people, or a JSON object on each",
        examples=["json"],
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="what the log leaves out is less than this",
        examples=["warning"],
    )
    watchdog: bool = Field(
        default=False,
        description="let systemd restart it also when its disk has not answered for a minute",
        examples=[True],
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
    maintenance: Annotated[tuple[MaintenanceConfig, ...], Field(strict=False)] = Field(
        default=(), description="when no run begins"
    )
    results: ResultsConfig = Field(default_factory=ResultsConfig, description="what is kept of earlier runs")
    waivers: Annotated[tuple[WaiverConfig, ...], Field(strict=False)] = Field(
        default=(), description="failures that somebody knows of, and answers for"
    )
    observe: ObserveConfig = Field(
        default_factory=ObserveConfig, description="what a runtime that goes on running shows of itself"
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
    "maintenance": MaintenanceConfig,
    "results": ResultsConfig,
    "waivers": WaiverConfig,
    "observe": ObserveConfig,
}
"""Every table by its name in the file; the empty name is the file itself."""

REPEATED = frozenset(("plugins", "assessments", "maintenance", "waivers"))
"""Tables written with double brackets."""


def keys_of(table: type[Table]) -> Mapping[str, FieldInfo]:
    """The keys of a table as files write them: `from` is a word of Python's, and has another name there."""
    return {field.alias or name: field for name, field in table.model_fields.items()}

"""Wheels built for real, for tests: correct ones by default, wrong in exactly one place when asked.

    WheelBuilder().build()                                               a correct plugin wheel
    WheelBuilder(files={"demo_plugin/__init__.py": "x = 1"}).build()     with another module
    WheelBuilder(extra=(Member("../evil", b""),)).build()                with one member that RECORD does not know
    WheelBuilder(record=lambda rows: rows[1:]).build()                   with a RECORD that lacks its first row

`demo_plugin_wheel()` gives a minimal plugin that can really be run by a worker.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from tests.support.zips import Member, write_zip

Row = tuple[str, str, str]
"""One line of RECORD: path, hash, size."""

DEMO_CHECKS = ("demo-greeting", "demo-kernel")

DEMO_SOURCE = '''\
"""A minimal plugin and its provider."""

from assess_plugin import (
    ActionInput,
    ActionOutput,
    CheckResult,
    EvaluateInput,
    EvaluateResult,
    Outcome,
    Subject,
    hookimpl,
)


class Assess:
    """Passes every check but `demo-greeting`, which depends on a setting."""

    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        return ActionOutput(results=tuple(self._check(input, check_id) for check_id in input.checks))

    def _check(self, input: ActionInput, check_id: str) -> CheckResult:
        if check_id == "demo-greeting":
            greeting = input.settings["greeting"]
            outcome = Outcome.PASS if greeting == "hello" else Outcome.FAIL
            return CheckResult(check_id=check_id, outcome=outcome, expected="hello", actual=greeting)
        if check_id == "demo-kernel":
            with input.host.attribute(check_id):
                kernel = input.host.run(["uname", "-s"]).stdout.decode().strip()
            return CheckResult(check_id=check_id, outcome=Outcome.PASS, expected="any", actual=kernel)
        return CheckResult(check_id=check_id, outcome=Outcome.PASS)


class Provide:
    """Knows one subject."""

    @hookimpl
    def assess_evaluate(self, input: EvaluateInput) -> EvaluateResult:
        subject = Subject(id=f"host:{input.runtime}", type="inventory-item", title=input.runtime)
        return EvaluateResult(subjects=(subject,))


plugin = Assess()
provider = Provide()
'''


def demo_manifest(checks: Sequence[str] = DEMO_CHECKS, *, plugin: str = "demo", permissions: str | None = None) -> str:
    """A correct `assess-plugin.toml` with these checks, one setting and two permissions."""
    tables = "".join(
        f'\n[[checks]]\nid = "{check}"\nplugin = "{plugin}"\ntitle = "About {check}"\nseverity = "medium"\n'
        f'controls = ["nist-800-53:cm-6"]\nremediation = "Repair {check}"\n'
        for check in checks
    )
    permissions = permissions or 'read = ["/proc/sys", "/etc/os-release"]\ncommands = [["uname", "-s"]]\n'
    return (
        'schema = 1\napi = ">=1.0,<2"\ntitle = "Demonstration"\nsummary = "A plugin for tests"\n'
        f'{tables}\n[settings.greeting]\ntype = "string"\nminLength = 1\ndefault = "hello"\n'
        f"\n[permissions]\n{permissions}\n[limits]\nmemory_mib = 256\ntimeout_s = 60\n"
    )


DEMO_ENTRY_POINTS: Mapping[str, Mapping[str, str]] = {
    "assess.plugins": {"demo": "demo_plugin:plugin"},
    "assess.providers": {"demo-subjects": "demo_plugin:provider"},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelBuilder:
    """What a wheel shall hold; `build()` writes it with METADATA, WHEEL, entry points and RECORD that fit.

    The manifest becomes `<name>/assess-plugin.toml`. Every attribute may be replaced by `but(...)`.

    Attributes:
        files: path -> content; a `str` is UTF-8. When it is None: `<name>/__init__.py` with the demo plugin.
        manifest: text of `assess-plugin.toml`; None leaves it out, as in a dependency.
        entry_points: group -> name -> value; None leaves the file out.
        metadata, wheel: raw text of METADATA and WHEEL instead of the generated one.
        metadata_lines: header lines to add to the generated METADATA, for example `("License-Expression: MIT",)`.
        record: what to make of the correct rows of RECORD; or its raw bytes.
        member: what to make of each member when the archive is written, for example to set a flag or a mode.
        extra: members to add behind all others, unknown to RECORD.
        first: members to add in front of all others, unknown to RECORD.
        zip_options: keyword arguments for `write_zip`.
        given_filename: the file's name when it shall not be the one that fits.
    """

    name: str = "demo-plugin"
    version: str = "1.0.0"
    tag: str = "py3-none-any"
    build_tag: str = ""
    files: Mapping[str, bytes | str] | None = None
    manifest: str | None = field(default_factory=demo_manifest)
    entry_points: Mapping[str, Mapping[str, str]] | str | None = field(default_factory=lambda: DEMO_ENTRY_POINTS)
    requires: Sequence[str] = ("assess-plugin>=1.0,<2",)
    requires_python: str | None = ">=3.11"
    purelib: bool = True
    metadata: str | bytes | None = None
    metadata_lines: Sequence[str] = ()
    wheel: str | bytes | None = None
    record: Callable[[list[Row]], Iterable[Row]] | bytes | None = None
    member: Callable[[Member], Member | None] = lambda member: member
    first: Sequence[Member] = ()
    extra: Sequence[Member] = ()
    zip_options: Mapping[str, Any] = field(default_factory=dict)
    given_filename: str | None = None

    @classmethod
    def dependency(cls, name: str = "somelib", version: str = "1.0.0", **changes: Any) -> Self:
        """A correct wheel that is no plugin: one module, no manifest, no entry points, no requirements."""
        module = name.replace("-", "_").replace(".", "_")
        defaults: dict[str, Any] = {
            "files": {f"{module}/__init__.py": f"__version__ = {version!r}\n"},
            "manifest": None,
            "entry_points": None,
            "requires": (),
        }
        return cls(name=name, version=version, **(defaults | changes))

    def but(self, **changes: Any) -> Self:
        """The same with these attributes replaced."""
        return replace(self, **changes)

    @property
    def module(self) -> str:
        """The wheel's top-level package."""
        return self.name.replace("-", "_").replace(".", "_").lower()

    @property
    def dist_info(self) -> str:
        return f"{self.module}-{self.version}.dist-info"

    @property
    def filename(self) -> str:
        build = f"-{self.build_tag}" if self.build_tag else ""
        return self.given_filename or f"{self.module}-{self.version}{build}-{self.tag}.whl"

    def contents(self) -> dict[str, bytes]:
        """Every file but RECORD, in archive order."""
        files = self.files if self.files is not None else {f"{self.module}/__init__.py": DEMO_SOURCE}
        texts: dict[str, bytes | str] = dict(files)
        if self.manifest is not None:
            texts[f"{self.module}/assess-plugin.toml"] = self.manifest
        texts[f"{self.dist_info}/METADATA"] = self.metadata if self.metadata is not None else self._metadata()
        texts[f"{self.dist_info}/WHEEL"] = self.wheel if self.wheel is not None else self._wheel()
        if self.entry_points is not None:
            texts[f"{self.dist_info}/entry_points.txt"] = _entry_points(self.entry_points)
        return {path: text.encode() if isinstance(text, str) else text for path, text in texts.items()}

    def build(self) -> bytes:
        """The wheel's bytes; the same builder gives the same bytes."""
        contents = self.contents()
        contents[f"{self.dist_info}/RECORD"] = self._record(contents)
        members = [self.member(Member(path, data)) for path, data in contents.items()]
        kept = [member for member in members if member is not None]
        return write_zip([*self.first, *kept, *self.extra], **self.zip_options)

    def _metadata(self) -> str:
        lines = ["Metadata-Version: 2.4", f"Name: {self.name}", f"Version: {self.version}"]
        lines += [f"Requires-Python: {self.requires_python}"] if self.requires_python else []
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        return "\n".join([*lines, *self.metadata_lines]) + "\n"

    def _wheel(self) -> str:
        lines = ["Wheel-Version: 1.0", "Generator: tests", f"Root-Is-Purelib: {str(self.purelib).lower()}"]
        lines += [f"Build: {self.build_tag}"] if self.build_tag else []
        return "\n".join([*lines, *(f"Tag: {tag}" for tag in expand_tag(self.tag))]) + "\n"

    def _record(self, contents: Mapping[str, bytes]) -> bytes:
        if isinstance(self.record, bytes):
            return self.record
        rows = [record_row(path, data) for path, data in contents.items()]
        rows.append((f"{self.dist_info}/RECORD", "", ""))
        changed = self.record(rows) if self.record is not None else rows
        return "".join(f"{path},{digest},{size}\n" for path, digest, size in changed).encode()


def record_row(path: str, data: bytes) -> Row:
    """The RECORD line of a file (PEP 376: urlsafe base64 without padding)."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return path, f"sha256={digest}", str(len(data))


def expand_tag(tag: str) -> list[str]:
    """The single tags of a compressed tag set, as a WHEEL file lists them (PEP 425)."""
    python, abi, platform = (part.split(".") for part in tag.split("-"))
    return [f"{p}-{a}-{q}" for p in python for a in abi for q in platform]


def demo_by_another_name(name: str, *requires: str, metadata_lines: Sequence[str] = ()) -> WheelBuilder:
    """demo-plugin under this name, with a module of that name, and with more requirements."""
    module = name.replace("-", "_")
    return WheelBuilder(
        name=name,
        files={f"{module}/__init__.py": DEMO_SOURCE},
        manifest=demo_manifest(),
        entry_points={
            group: {entry: value.replace("demo_plugin", module) for entry, value in entries.items()}
            for group, entries in DEMO_ENTRY_POINTS.items()
        },
        requires=("assess-plugin>=1.0,<2", *requires),
        metadata_lines=tuple(metadata_lines),
    )


def demo_plugin_wheel(
    version: str = "1.0.0", *, checks: Sequence[str] = DEMO_CHECKS, source: str | None = None, **changes: Any
) -> tuple[str, bytes]:
    """Filename and bytes of a plugin that a worker can run.

    Entry points: `demo` (assess.plugins) and `demo-subjects` (assess.providers), objects of module `demo_plugin`.
    `source` replaces the module's text and must define `plugin` and `provider`; `changes` go to `WheelBuilder`.
    """
    files = {"demo_plugin/__init__.py": DEMO_SOURCE if source is None else source}
    builder = WheelBuilder(version=version, **({"files": files, "manifest": demo_manifest(checks)} | changes))
    return builder.filename, builder.build()


def _entry_points(groups: Mapping[str, Mapping[str, str]] | str) -> str:
    if isinstance(groups, str):
        return groups
    return "\n".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in groups.items()
    )

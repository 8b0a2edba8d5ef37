"""A release as the catalogue shows it, with a text of one's choice wherever a stranger may have written one; and pages
read back, strictly.

    tags(release_page(house(), view("<script>"))) == tags(release_page(house(), view("plain")))
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from packaging.specifiers import SpecifierSet

from assess_registry.catalogue import CatalogueWheel, FileRef, Release, Revoked, Yanked
from assess_registry.config import Targets
from assess_registry.control import Publishers, Revocations, RevokedWheel
from assess_registry.keys import KeyId
from assess_registry.lock import LockedWheel, parse_lock, write_lock
from assess_registry.manifest import CheckSpec, Limits, Manifest, Permissions, SettingSpec
from assess_registry.names import PluginName, ProjectName, Sha256
from assess_registry.status.markup import VOID
from assess_registry.status.report import Environment, ExaminationWords, FindingWords, ReportWords
from assess_registry.status.values import ClosureView, House, NotShown, PluginWords, ReleaseView, Target, WheelView
from assess_registry.verdict import Approval, Verdict, permissions_table

PROJECT = ProjectName("acme-demo")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DIGEST = Sha256("ab" * 32)
KEY = KeyId("sha256:" + "cd" * 32)
WHEEL = "acme_demo-1.2.0-py3-none-any.whl"

_BLOCKS = frozenset(
    (
        "p",
        "div",
        "ul",
        "ol",
        "dl",
        "table",
        "section",
        "pre",
        "h1",
        "h2",
        "h3",
        "form",
        "details",
        "nav",
        "header",
        "footer",
    )
)
_PHRASING = frozenset(
    (
        "p",
        "h1",
        "h2",
        "h3",
        "span",
        "bdi",
        "code",
        "a",
        "strong",
        "em",
        "var",
        "label",
        "caption",
        "summary",
        "time",
        "pre",
    )
)
"""Elements that may hold no block (HTML, phrasing content)."""


def house(**changes: Any) -> House:
    values: dict[str, Any] = {
        "name": "tests",
        "base_url": "https://plugins.example.org/",
        "control": Publishers(),
        "revocations": Revocations(),
        "targets": Targets(pythons=("3.11", "3.12"), platforms=("manylinux_2_28_x86_64",)),
    }
    return House(**(values | changes))


def file_ref(name: str) -> FileRef:
    return FileRef(filename=name, size=2048, sha256=DIGEST)


def release(version: str = "1.2.0", **changes: Any) -> Release:
    name = f"acme_demo-{version}-py3-none-any.whl"
    wheel = CatalogueWheel(
        filename=name,
        size=2048,
        sha256=DIGEST,
        signature=file_ref(f"{name}.sig"),
        metadata=file_ref(f"{name}.metadata"),
        verdict=file_ref(f"{name}.verdict.json"),
        requires_python=">=3.11",
        publisher="acme",
        signer=KEY,
    )
    values: dict[str, Any] = {
        "version": version,
        "wheels": (wheel,),
        "lock": file_ref("pylock.toml"),
        "lock_signature": file_ref("pylock.toml.sig"),
        "sbom": file_ref("sbom.cdx.json"),
        "audit": file_ref("audit.json"),
        "published_at": NOON,
    }
    return Release(**(values | changes))


def verdict(permissions: Permissions, **changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "project": PROJECT,
        "version": "1.2.0",
        "filename": WHEEL,
        "sha256": DIGEST,
        "lock_sha256": DIGEST,
        "report_sha256": DIGEST,
        "sbom_sha256": DIGEST,
        "since": "",
        "growth": permissions_table(Permissions()),
        "permissions": permissions_table(permissions),
        "policy_sha256": DIGEST,
        "result": "approved",
        "approved_by": "reviewers",
        "verified_at": NOON,
    }
    return Verdict(**(values | changes))


def approval(permissions: Permissions | None = None, *, by: tuple[str, ...] = ("rita",), **changes: Any) -> Approval:
    policy = changes.get("approved_by") == "policy"
    return Approval(
        verdict=verdict(permissions or Permissions(), **changes), by=() if policy else by, automatic=policy, keys=(KEY,)
    )


def plugin_words(text: str) -> PluginWords:
    """A manifest as no parser would let it through: this text in every place that holds one."""
    check = CheckSpec(
        id=text,
        plugin=PluginName(text),
        title=text,
        severity="medium",
        controls=("nist-800-53:cm-6",),
        remediation=f"{text}\n{text}",
    )
    setting = SettingSpec(name=text, schema={"type": text}, default={text: text}, has_default=True, secret=False)
    manifest = Manifest(
        api=SpecifierSet(">=1.0,<2"),
        title=text,
        summary=text,
        checks=(check,),
        settings=(setting,),
        limits=Limits(),
    )
    return PluginWords(manifest=manifest, plugins=(text,), providers=(text,), licence=text)


def report_words(text: str) -> ReportWords:
    return ReportWords(
        verdict=text,
        as_of=text,
        reasons=(text,),
        findings=(
            FindingWords(id=text, severity=text, verdict=text, reason=text, place=text, message=text, advice=text),
        ),
        examinations=(ExaminationWords(name=text, tool=text, incomplete=(text,), findings=1),),
        environments=(Environment(name=text, python=text, api=text, outcome=text, is_this_wheel=True),),
        advisories=text,
    )


def closure(*, revoked: tuple[RevokedWheel, ...] = ()) -> ClosureView:
    own = LockedWheel(project=PROJECT, version="1.2.0", filename=WHEEL, sha256=DIGEST, size=2048)
    other = LockedWheel(
        project=ProjectName("somelib"),
        version="1.0",
        filename="somelib-1.0-py3-none-any.whl",
        sha256=Sha256("ef" * 32),
        size=100,
    )
    lock = parse_lock(write_lock((own, other), requires_python=None))
    target = Target(python="3.11", platform="manylinux_2_28_x86_64", wheels=lock.wheels)
    refused = Target(python="3.12", platform="manylinux_2_28_x86_64", wheels=())
    return ClosureView(lock=lock, targets=(target, refused), revoked={each.sha256: each for each in revoked})


def view(text: str = "plain words", **changes: Any) -> ReleaseView:
    """A release that is in order, with this text in every place where a stranger writes."""
    listed = changes.pop("release", release())
    permissions = changes.pop("permissions", Permissions(read=("/etc/ssh",)))
    wheel = WheelView(
        listed=listed.wheels[0],
        approval=changes.pop("approval", approval(permissions)),
        plugin=changes.pop("plugin", plugin_words(text)),
        report=changes.pop("report", report_words(text)),
    )
    values: dict[str, Any] = {
        "project": PROJECT,
        "release": listed,
        "wheels": (wheel,),
        "closure": closure(),
        "components": 3,
    }
    return ReleaseView(**(values | changes))


def worst_view(text: str) -> ReleaseView:
    """A release about which everything bad is to be said, in these words as far as they are printable."""
    line = "".join(each for each in text if each.isprintable())[:400].strip() or "none"
    revoked = RevokedWheel(
        project=ProjectName("somelib"), version="1.0", sha256=Sha256("ef" * 32), reason=line, severity="high", at=NOON
    )
    listed = release(
        yanked=Yanked(reason=line, at=NOON), revoked=Revoked(reason=line, severity="critical", at=NOON), sbom=None
    )
    missing = NotShown(filename=text, reason=text)
    return view(
        text,
        release=listed,
        approval=missing,
        report=missing,
        closure=closure(revoked=(revoked,)),
        components=None,
    )


@dataclass
class Page(HTMLParser):
    """A page, read strictly: every element closed in its order, and no block where only phrasing may stand."""

    starts: list[tuple[str, tuple[tuple[str, str | None], ...]]] = field(default_factory=list)
    text: str = ""
    problems: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, tuple(attrs)))
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag in _BLOCKS and _PHRASING & set(self._open):
            self.problems.append(f"<{tag}> inside {self._open}")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.problems.append(f"a comment: {data!r}")

    def unknown_decl(self, data: str) -> None:
        self.problems.append(f"a declaration: {data!r}")

    def handle_pi(self, data: str) -> None:
        self.problems.append(f"an instruction: {data!r}")


def read_page(data: bytes) -> Page:
    """The page in these bytes."""
    page = Page()
    page.feed(data.decode())
    page.close()
    if page._open:
        page.problems.append(f"never closed: {page._open}")
    if len(set(page.ids)) != len(page.ids):
        page.problems.append(f"an id stands twice: {page.ids}")
    return page


def tags(data: bytes) -> list[tuple[str, tuple[str, ...]]]:
    """Every element with the names of its attributes."""
    return [(tag, tuple(name for name, _ in attributes)) for tag, attributes in read_page(data).starts]

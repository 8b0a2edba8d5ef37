"""A client that reads all of a registry: the signed word by the client's own TUF, then every file it names.

    reader = WordReader(tree.root, memory)
    reader.releases("demo-plugin")     ->  {"1.0.0", "1.1.0"}, or an error that a client would have met

`page_problems` does the same for the pages, which have no authority.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

from assess_registry.catalogue import Catalogue, FileRef, Release, catalogue_path, parse_catalogue
from assess_registry.client.location import Location
from assess_registry.client.transport import Deadline
from assess_registry.client.trust.word import SignedWord
from assess_registry.control import (
    POLICY_PATH,
    PUBLISHERS_PATH,
    REVOCATIONS_PATH,
    Publishers,
    Revocations,
    parse_policy_word,
    parse_publishers,
    parse_revocations,
)
from assess_registry.dsse import parse_envelope
from assess_registry.errors import NotPublishedError
from assess_registry.keys import TrustedKeys
from assess_registry.lock import parse_lock
from assess_registry.names import ProjectName
from assess_registry.signatures import verify_detached
from assess_registry.verdict import check_approval


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a client sees of a project at one moment; all of it was verified."""

    catalogue: Catalogue
    revocations: Revocations
    control: Publishers | None

    @property
    def versions(self) -> tuple[str, ...]:
        """Versions that a client would take without being told to."""
        return tuple(each.version for each in self.catalogue.releases if not each.yanked and not each.revoked)


@dataclass(frozen=True, slots=True)
class WordReader:
    """A client with a memory."""

    root: Path
    memory: Path

    def see(self, project: str = "demo-plugin") -> Seen:
        """Everything about a project, verified down to the last byte of the last dependency."""
        deadline = Deadline.after(60)
        anchor = (self.root / "metadata" / "1.root.json").read_bytes()
        state = SignedWord(state=self.memory, root=anchor, read=self._read, max_staleness_s=3600, now=_now)
        word = state.refresh(deadline)
        control = word.read(PUBLISHERS_PATH, deadline)
        revocations, policy = word.read(REVOCATIONS_PATH, deadline), word.read(POLICY_PATH, deadline)
        name = ProjectName(project)
        page = word.read(catalogue_path(name), deadline)
        seen = Seen(
            catalogue=parse_catalogue(page, name) if page else Catalogue(project=name),
            revocations=parse_revocations(revocations) if revocations else Revocations(),
            control=parse_publishers(control) if control else None,
        )
        for release in seen.catalogue.releases:
            assert seen.control is not None
            assert policy is not None
            self._verify(name, release, seen.control)
            verdicts = [self._file(name, release, wheel.verdict) for wheel in release.wheels]
            for verdict in verdicts:
                sha256 = check_approval(
                    parse_envelope(verdict),
                    control=seen.control,
                    publisher=release.wheels[0].publisher,
                    at=release.published_at,
                ).verdict.policy_sha256
                assert parse_policy_word(policy).knows(sha256)
        return seen

    def _verify(self, project: ProjectName, release: Release, control: Publishers) -> None:
        for file in release.files():
            self._file(project, release, file)
        for wheel in release.wheels:
            publisher = control.publisher_of(wheel.signer, project, release.published_at)
            assert publisher == wheel.publisher
            (key,) = [each.key for each in control.publishers[publisher].keys if each.key.id == wheel.signer]
            data, signature = (self._file(project, release, each) for each in (wheel.file, wheel.signature))
            verify_detached(data, signature, TrustedKeys.of(key))
        for entry in parse_lock(self._file(project, release, release.lock)).wheels:
            path = self.root / "files" / entry.project / entry.version / entry.filename
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256, path

    def _file(self, project: ProjectName, release: Release, file: FileRef) -> bytes:
        data = (self.root / "files" / project / release.version / file.filename).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file.sha256, file.filename
        return data

    def _read(self, location: Location, max_bytes: int, deadline: Deadline) -> bytes:
        del deadline
        try:
            data = (self.root / location).read_bytes()
        except FileNotFoundError as error:
            raise NotPublishedError("not there", url=str(location)) from error
        assert len(data) <= max_bytes
        return data


def page_problems(root: Path) -> list[str]:
    """What is wrong with the pages: a link to nothing, a wrong digest, a page without its twin."""
    problems: list[str] = []
    for page in root.glob("simple/*/index.html"):
        text = page.read_text()
        problems += [] if text.endswith("</html>\n") else [f"{page}: cut short"]
        problems += [] if page.with_name("index.json").exists() else [f"{page}: no JSON page beside it"]
        for attributes in re.findall(r"<a (.*?)>", text):
            values = {name: unescape(value) for name, value in re.findall(r'([\w-]+)="(.*?)"', attributes)}
            link, _, digest = values["href"].partition("#sha256=")
            problems += _file_problems((page.parent / link).resolve(), digest)
    for page in root.glob("simple/*/index.json"):
        for file in json.loads(page.read_bytes())["files"]:
            problems += _file_problems((page.parent / file["url"]).resolve(), file["hashes"]["sha256"])
    for page in root.glob("plugins/*.json"):
        for entry in json.loads(page.read_bytes())["plugins"]:
            problems += _file_problems((page.parent / entry["artifact"]).resolve(), entry["sha256"])
    for project in json.loads((root / "simple/index.json").read_bytes())["projects"]:
        problems += [] if (root / "simple" / project["name"] / "index.html").exists() else [f"no page: {project}"]
    return problems


def listed(root: Path, project: str = "demo-plugin") -> list[str]:
    """Filenames on a project's page."""
    page = root / "simple" / project / "index.json"
    return [file["filename"] for file in json.loads(page.read_bytes())["files"]] if page.exists() else []


def _file_problems(path: Path, sha256: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{path}: named by a page and not there"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        yield f"{path}: not the bytes its page announces"


def _now() -> datetime:
    return datetime.now(UTC)

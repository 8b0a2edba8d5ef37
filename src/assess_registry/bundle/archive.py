"""The file that carries a bundle: a plain zip of a registry's own files, the same for the same content.

    bundle.json                       which releases it carries; says what to look at, and is believed in nothing
    metadata/ catalog/ control/       the registry's signed word, whole
    files/<project>/<version>/        wheels and what belongs to them

Members are stored, in order of their names, without times, owners or comments. A reader takes nothing else for a
bundle, and reads only what it is asked for, bounded: a member can be as large as it likes without being read.
"""

import re
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from assess_registry.bundle.framing import FramingError, check_framing
from assess_registry.canonical import Members, decode, encode
from assess_registry.client.location import Location
from assess_registry.client.transport import Deadline
from assess_registry.client.transport.port import oversized
from assess_registry.errors import NotPublishedError, TransportError, TrustError
from assess_registry.names import ProjectName, parse_project, parse_version

MANIFEST = "bundle.json"
SCHEMA = 1

MAX_MEMBERS = 400_000
"""Every project of a registry of 100,000 has a page, and a release a dozen files."""

MAX_MANIFEST_BYTES = 4 << 20
MAX_RELEASES = 20_000

_MEMBER = re.compile(
    r"""metadata/(?:timestamp|[1-9][0-9]{0,9}\.[a-z0-9-]{1,40})\.json
    | (?:catalog|control)/[0-9a-f]{64}\.[a-z0-9][a-z0-9-]{0,213}\.json
    | files/[a-z0-9][a-z0-9-]{0,213}/[0-9a-z.+!]{1,100}/[A-Za-z0-9_][A-Za-z0-9._+!-]{0,254}""",
    re.ASCII | re.VERBOSE,
)
"""What a registry consists of. Pages and the flat index are not among it: they are made anew where it arrives."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX, _REGULAR_0644 = 3, 0o100644 << 16
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Carried:
    """One release that a bundle carries."""

    project: ProjectName
    version: str

    def __str__(self) -> str:
        return f"{self.project} {self.version}"


def write_bundle(file: IO[bytes], *, root: Path, members: Iterable[str], carried: Iterable[Carried]) -> None:
    """`file` is the bundle of these files below `root`; the same ones give the same bytes.

    Raises:
        OSError: one cannot be read, or no more can be written.
    """
    listed = [{"project": each.project, "version": each.version} for each in sorted(carried)]
    manifest = encode({"schema": SCHEMA, "releases": listed}, max_bytes=MAX_MANIFEST_BYTES)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(_info(MANIFEST), manifest)
        for name in sorted(members):
            info = _info(name)
            info.file_size = (root / name).stat().st_size
            with (root / name).open("rb") as source, archive.open(info, "w") as member:
                while chunk := source.read(_CHUNK):
                    member.write(chunk)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """An open bundle. It is the transport of the registry in it: `read` gives a file of that, and nothing is believed.

    Attributes:
        path: where it lies.
        carried: the releases it says that it carries.
        names: its members but for the manifest.
    """

    path: Path
    carried: tuple[Carried, ...]
    names: frozenset[str]
    _archive: zipfile.ZipFile

    @property
    def url(self) -> str:
        """What its files are called in messages: a place below the file itself."""
        return self.path.absolute().as_uri() + "/"

    def read(self, location: Location, *, max_bytes: int, deadline: Deadline) -> bytes:
        """See `Transport.read`."""
        url = self.url + location
        deadline.remaining_s(url)
        if location not in self.names:
            raise NotPublishedError(f"{url}: the bundle does not hold it", url=url)
        info = self._archive.getinfo(location)
        if info.file_size > max_bytes:
            raise oversized(url, max_bytes=max_bytes, got=f"{info.file_size} bytes")
        try:
            with self._archive.open(info) as member:
                data = member.read(max_bytes + 1)
        except (zipfile.BadZipFile, EOFError) as error:
            raise _refused(f"it is damaged: {error}", url) from error
        except OSError as error:
            raise TransportError(f"{url}: cannot be read: {error.strerror}", url=url) from error
        if len(data) > max_bytes:
            raise oversized(url, max_bytes=max_bytes, got="more")
        return data

    def close(self) -> None:
        """Nothing can be read any more."""
        self._archive.close()

    def abandon(self) -> None:
        """Nothing is waited for but a disk."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_bundle(path: Path) -> Bundle:
    """The bundle in this file.

    Raises:
        TrustError: step `bundle`; it is none, or holds what none holds.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a FIFO would be waited for, for ever
        raise _refused("it is no bundle: it is no file", str(path))
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _refused(f"it is no bundle: {error}", str(path)) from error
    try:
        names = _names(archive, path)
        with path.open("rb") as file:
            check_framing(file, archive.infolist())
        carried = _manifest(archive, path)
    except FramingError as error:
        archive.close()
        raise _refused(f"it holds more than its members: {error}", str(path)) from error
    except BaseException:
        archive.close()
        raise
    return Bundle(path=path, carried=carried, names=names, _archive=archive)


def _names(archive: zipfile.ZipFile, path: Path) -> frozenset[str]:
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise _refused("it has more members than a bundle has", str(path), f"at most {MAX_MEMBERS}", str(len(infos)))
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise _refused("it has two members of one name", str(path))
    for info in infos:
        if info.filename != MANIFEST and not is_member(info.filename):
            raise _refused("it holds what no registry consists of", f"{path}: {info.filename[:200]!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1 or info.compress_size != info.file_size:
            raise _refused("it is compressed or encrypted", f"{path}: {info.filename}", "a stored member", "another")
    return frozenset(names) - {MANIFEST}


def _manifest(archive: zipfile.ZipFile, path: Path) -> tuple[Carried, ...]:
    thing = f"{path}: {MANIFEST}"
    try:
        info = archive.getinfo(MANIFEST)
        if info.file_size > MAX_MANIFEST_BYTES:
            raise _refused("it is too large", thing, f"at most {MAX_MANIFEST_BYTES} bytes", f"{info.file_size} bytes")
        with archive.open(info) as member:
            value = decode(member.read(MAX_MANIFEST_BYTES), max_bytes=MAX_MANIFEST_BYTES)
        table = Members.of(value, MANIFEST, required=("schema", "releases"))
        table.exactly("schema", SCHEMA)
        carried = tuple(_carried(*item) for item in table.items("releases", max_items=MAX_RELEASES))
    except KeyError as error:
        raise _refused("it does not say what it carries", str(path), MANIFEST, "no such member") from error
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise _refused(f"it cannot be understood: {error}", thing) from error
    if not carried or len(set(carried)) != len(carried):
        raise _refused("it carries nothing, or a release twice", thing)
    return carried


def _carried(value: object, path: str) -> Carried:
    table = Members.of(value, path, required=("project", "version"))
    return Carried(project=table.parsed("project", parse_project), version=str(table.parsed("version", parse_version)))


def is_member(name: str) -> bool:
    """Whether a bundle may hold a file of this name: no other directory, no `..`, nothing hidden."""
    return _MEMBER.fullmatch(name) is not None and ".." not in name.split("/")


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.create_system, info.external_attr = _UNIX, _REGULAR_0644
    return info


def _refused(message: str, thing: str, expected: str = "", got: str = "") -> TrustError:
    return TrustError(
        message,
        step="bundle",
        thing=thing,
        expected=expected,
        got=got,
        next_step="nothing was taken from it; have it exported and carried again, and compare digests at both ends",
    )

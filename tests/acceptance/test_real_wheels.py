"""Wheels as the package index really serves them: strict inspection refuses none of these as a dependency.

They are downloaded once, unpinned, and kept under `build/real-wheels/`; remove that directory to see newer ones.
"""

import functools
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name, parse_wheel_filename

from assess_registry.wheel import inspect, unpacked_files
from tests.support.downloads import BUILD, NO_INDEX, pip_download
from tests.support.programs import refuse_or_skip

CACHE = BUILD / "real-wheels" / f"{sys.implementation.cache_tag}"
PROJECTS = (
    "numpy",
    "cryptography",
    "cffi",
    "lxml",
    "PyYAML",
    "setuptools",
    "coverage",
    "ruff",
    "uv",
    "greenlet",
    "ipykernel",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-inspection",
    "boto3",
    "botocore",
    "requests",
    "certifi",
    "protobuf",
    "grpcio",
    "psutil",
    "jinja2",
    "pandas",
    "zope.interface",
    "google-api-core",
    "typing-extensions",
    "urllib3",
    "idna",
    "charset-normalizer",
    "httpx",
    "httpcore",
    "h11",
    "anyio",
    "sniffio",
    "jmespath",
    "s3transfer",
    "python-dateutil",
    "six",
)
SMALLEST = "typing-extensions"


def cached() -> dict[str, Path]:
    """Wheels in the cache by canonical project name."""
    return {parse_wheel_filename(path.name)[0]: path for path in sorted(CACHE.glob("*.whl"))}


@functools.cache
def problem() -> str:
    """Why the cache cannot be filled; empty once it is."""
    CACHE.mkdir(parents=True, exist_ok=True)
    missing = [project for project in PROJECTS if canonicalize_name(project) not in cached()]
    if not missing:
        return ""
    if pip_download(CACHE, "--no-deps", "--retries=1", SMALLEST).returncode:
        return NO_INDEX
    return pip_download(CACHE, "--no-deps", *missing).stderr  # the index is there: no reason to skip


def downloaded(project: str) -> Path:
    """The wheel, or the end of the test."""
    if problem() == NO_INDEX:
        refuse_or_skip(NO_INDEX)
    found = cached().get(canonicalize_name(project))
    if found is None:
        pytest.fail(problem(), pytrace=False)
    return found


@pytest.mark.parametrize("project", PROJECTS)
def test_it_is_accepted_as_a_dependency_and_unpacks_to_what_its_archive_holds(project: str) -> None:
    path = downloaded(project)
    data = path.read_bytes()
    inspected = inspect(data, path.name, kind="dependency")
    assert str(inspected.project) == canonicalize_name(project)
    files = {file.path: hashlib.sha256(file.data).hexdigest() for file in unpacked_files(data, inspected)}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        held = {hashlib.sha256(archive.read(info)).hexdigest() for info in archive.infolist() if not info.is_dir()}
    assert len(files) + len(inspected.left_out) + 1 == len(inspected.entries)  # and RECORD
    assert set(files.values()) <= held
    assert not [name for name in files if name.endswith(".pth") and "/" not in name]


def test_what_is_never_unpacked_of_them_is_listed() -> None:
    path = downloaded("setuptools")
    inspected = inspect(path.read_bytes(), path.name, kind="dependency")
    assert inspected.left_out == ("distutils-precedence.pth",)

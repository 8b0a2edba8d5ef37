"""What pip would install, under each interpreter at hand, beside what the lock selects there.

pip reads the wheels by itself and resolves by itself, without a network and without configuration. It can only speak
for the interpreter that runs it; for all other targets the lock is checked by `packaging.pylock` alone, and that is
said.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags

from assess_registry.errors import ConfigError, RegistryError
from assess_registry.lock import Lock
from assess_registry.targets import RegistryTarget
from assess_registry.tools import ToolLimits, run_tool
from assess_registry.wheel import InspectedWheel

_LIMITS = ToolLimits(timeout_s=180.0, cpu_s=120, memory_mib=2048, stdout_bytes=32 << 20)
_ASK = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name, sys.executable)"
_SAME = ("sys_platform", "platform_machine", "implementation_name")


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """Who has checked what the lock selects on a target.

    Attributes:
        target: its name.
        wheels: what is selected there.
        checked_by: the full version of the interpreter under which pip agrees; empty when none is at hand.
    """

    target: str
    wheels: tuple[str, ...]
    checked_by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What pip would install under one interpreter, and for what that interpreter is."""

    environment: Mapping[str, str]
    sha256s: frozenset[str]
    tags: tuple[Tag, ...]


def second_opinions(
    directory: Path,
    lock: Lock,
    wheel: InspectedWheel,
    targets: Sequence[RegistryTarget],
    *,
    interpreters: Sequence[Path],
) -> tuple[Opinion, ...]:
    """For each target what is selected, and whether pip agrees.

    Raises:
        RegistryError: pip would install something else, or does not do its work: one of the two is wrong.
        ConfigError: an interpreter that was named does not work.
    """
    answers = {}
    # pip speaks for a target as far as this machine takes everything that the target takes.
    here = frozenset(platform_tags())
    speakable = [target for target in targets if target.tags[0].platform in here and _has_plugin(lock, wheel, target)]
    for python, path in _at_hand(targets, interpreters):
        if all(target.environment["python_version"] != python for target in speakable):
            continue
        answers[python] = _ask_pip(path, directory, wheel)
        _require_agreement(lock, answers[python])
    return tuple(_opinion(lock, wheel, target, answers) for target in targets)


def _opinion(lock: Lock, wheel: InspectedWheel, target: RegistryTarget, answers: Mapping[str, _Answer]) -> Opinion:
    if not _has_plugin(lock, wheel, target):
        return Opinion(target=target.name, wheels=())
    selected = lock.select(target)
    answer = answers.get(target.environment["python_version"])
    agrees = (
        answer is not None
        and all(answer.environment.get(name) == target.environment[name] for name in _SAME)
        and answer.sha256s == {each.sha256 for each in selected}
    )
    return Opinion(
        target=target.name,
        wheels=tuple(each.filename for each in selected),
        checked_by=answer.environment["python_full_version"] if agrees and answer is not None else "",
    )


def _has_plugin(lock: Lock, wheel: InspectedWheel, target: RegistryTarget) -> bool:
    return any(each.tags & {*target.tags} for each in lock.wheels if each.project == wheel.project)


def _require_agreement(lock: Lock, answer: _Answer) -> None:
    selected = lock.select(answer)
    if {each.sha256 for each in selected} == answer.sha256s:
        return
    strange = sorted(each.filename for each in selected if each.sha256 not in answer.sha256s)
    python = answer.environment["python_full_version"]
    raise RegistryError(
        f"pip under Python {python} would install other wheels than the lock selects; "
        f"of the lock it leaves out: {', '.join(strange) or 'none'}. Nothing is wrong with the wheels; "
        "the lock or pip is, so do not submit this closure"
    )


def _at_hand(targets: Sequence[RegistryTarget], named: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Interpreters by version: those that were named, this one, and those on the path, for Pythons of the targets."""
    wanted = {target.environment["python_version"] for target in targets}
    known = set()
    for path in named:
        python = _version(path)
        if python not in wanted:
            what = f"is Python {python}, which is no target" if python else "is no interpreter that works"
            raise ConfigError(f"{path}: {what}; pip is asked under Python {', '.join(sorted(wanted))}")
        known.add(python)
        yield python, path
    for python in sorted(wanted - known):
        running = f"{sys.version_info[0]}.{sys.version_info[1]}" == python
        program = sys.executable if running else shutil.which(f"python{python}")
        if program is not None and _version(Path(program)) == python:
            yield python, Path(program)


def _version(path: Path) -> str:
    ran = run_tool([str(path), "-I", "-S", "-c", _ASK], cwd=Path("/"), limits=_LIMITS)
    words = ran.stdout.decode("utf-8", "replace").split()
    return words[0] if ran.exit_code == 0 and len(words) > 1 and words[1] == "cpython" else ""


def _under(interpreter: Path) -> tuple[str, ...]:
    """Options of pip, which starts itself anew under another interpreter: half of its time."""
    return () if str(interpreter) == sys.executable else ("--python", str(interpreter))


def _ask_pip(interpreter: Path, directory: Path, wheel: InspectedWheel) -> _Answer:
    ran = run_tool(
        [
            *(sys.executable, "-I", "-m", "pip", *_under(interpreter), "--isolated", "install", "--quiet"),
            *("--dry-run", "--ignore-installed", "--no-index", "--find-links", ".", "--only-binary", ":all:"),
            *("--no-cache-dir", "--disable-pip-version-check", "--report", "-", f"{wheel.project}=={wheel.version}"),
        ],
        cwd=directory,
        limits=_LIMITS,
        environment={"PIP_CONFIG_FILE": os.devnull},
    )
    if ran.problem or ran.exit_code != 0:
        said = ran.stderr.decode("utf-8", "replace").strip()[-500:]
        raise RegistryError(f"pip under {interpreter} cannot install the closure: {ran.problem or said}")
    report = json.loads(ran.stdout)
    environment = {str(key): str(value) for key, value in report["environment"].items()}
    release = [int(part) for part in environment["python_version"].split(".")]
    interpreter_tag = f"cp{release[0]}{release[1]}"
    platforms = list(platform_tags())  # of this machine, which is where the interpreter runs
    return _Answer(
        environment=environment,
        sha256s=frozenset(each["download_info"]["archive_info"]["hashes"]["sha256"] for each in report["install"]),
        tags=(
            *cpython_tags(release, abis=[interpreter_tag], platforms=platforms),
            *compatible_tags(release, interpreter=interpreter_tag, platforms=platforms),
        ),
    )

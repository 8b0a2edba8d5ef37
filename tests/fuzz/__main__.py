"""`python -m tests.fuzz parent|child|broker [--seconds 600] [--findings DIRECTORY]`: by atheris, guided by coverage.

Seeds come from the examples of docs/wire.md. An input that a target does not survive is written to the directory and
named; `--again FILE` tries it alone, without atheris.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

TARGETS = ("parent", "child", "broker")


def main() -> int:
    """Fuzz one target for so long; 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--again", type=Path)
    given = parser.parse_args()
    if given.again is not None:
        with getattr(importlib.import_module(f"tests.fuzz.{given.target}"), given.target)() as target:
            target.run(given.again.read_bytes())
        return 0
    return _fuzz(given.target, given.seconds, given.findings)


def _fuzz(name: str, seconds: int, findings: Path) -> int:
    atheris = importlib.import_module("atheris")  # not there unless asked for: it serves one version of Python
    with atheris.instrument_imports(include=["assess_core.host", "assess_plugin"]):
        module = importlib.import_module(f"tests.fuzz.{name}")
    findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus, getattr(module, name)() as target:
        for number, seed in enumerate(target.seeds()):
            Path(corpus, f"seed-{number}").write_bytes(seed)
        arguments = [f"-max_total_time={seconds}", "-max_len=512", f"-artifact_prefix={findings}/", "-timeout=20"]
        atheris.Setup([sys.argv[0], *arguments, corpus], target.run)
        atheris.Fuzz()  # does not return
    return 1


if __name__ == "__main__":
    sys.exit(main())

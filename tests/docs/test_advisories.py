"""The commands of docs/advisories.md work as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from assess_registry.audit.advisories import DATABASE_NAME, AdvisoryDatabase
from assess_registry.audit.advisories import export as bounds

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "advisories.md").read_text()
FLAGGED = 4


def test_every_command_of_the_document_runs_in_order(tmp_path: Path) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 3
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    counts = []
    for block in blocks:
        done = subprocess.run(
            ["sh", "-e", "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        # The checked-in documents grow old, and `status` says so.
        assert done.returncode in ((0, FLAGGED) if "status" in block else (0,)), done.stderr
        counts.append(AdvisoryDatabase.load(tmp_path / "registry" / DATABASE_NAME).count)
    assert counts == [2, 1, 1]


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"{bounds.MAX_SOURCE_BYTES >> 20} MiB of file ({bounds.MAX_PLAIN_BYTES >> 20} MiB when" in TEXT
    assert f"{bounds.MAX_ENTRIES:,} documents of {bounds.MAX_DOCUMENT_BYTES >> 20} MiB" in TEXT
    assert f"{bounds.MAX_TOTAL_BYTES >> 30} GiB unpacked, a ratio of {bounds.MAX_RATIO};" in TEXT
    assert f"more than {bounds.MAX_DEPTH} levels" in TEXT

"""pytest itself finds the fixtures, and the ini option says where the manifest lies."""

import subprocess
import sys
from pathlib import Path

TEST = """
def test_planted(planted_host, local_host):
    planted_host.plant("/etc/a", "x")
    assert planted_host.stat("/etc/a").size == 1
    assert local_host.permissions.stat == ("/etc",)
"""


def run_pytest(directory: Path, ini: str) -> subprocess.CompletedProcess[str]:
    (directory / "pytest.ini").write_text(f"[pytest]\n{ini}")
    (directory / "test_it.py").write_text(TEST)
    (directory / "assess-plugin.toml").write_text('[permissions]\nstat = ["/etc"]\n')
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(directory)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=directory, timeout=60)


def test_fixtures_are_found_and_bound_to_the_manifest(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "assess_manifest = assess-plugin.toml\n")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_without_the_option_the_message_says_what_to_write(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "")
    assert done.returncode == 1
    assert "no `assess_manifest` in the pytest configuration" in done.stdout

"""Whatever goes wrong around a run, a program that reads stdout gets one document, and the exit code is right."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.sites import Site, make_site, one_document
from tests.support.checkout import Checkout, require_root
from tests.support.programs import require_program
from tests.support.wheels import DEMO_CHECKS, WheelBuilder


@pytest.fixture(scope="module")
def published(ran: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The demo plugin published and installed; each test breaks a copy, or only looks."""
    site = make_site(ran, tmp_path_factory.mktemp("failures") / "site")
    site.publish(WheelBuilder())
    site.configure()
    assert site.assess("run").returncode == 0
    return site


@pytest.fixture
def site(published: Site, tmp_path: Path) -> Site:
    """A copy with a state of its own, nothing installed."""
    return published.copy(tmp_path / "site")


def failed(site: Site, *argv: str | Path, code: int, kind: str, verb: str = "run", **more: Any) -> Any:
    """The command fails with this code, in words on stderr and as a document on stdout; gives the document's error."""
    done = site.assess(verb, "--output", "json", *argv, **more)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    error = one_document(done.stdout)["error"]
    assert (error["kind"], error["exit"]) == (kind, code)
    first_line = error["message"].strip().splitlines()[0]
    assert done.stderr.startswith("assess: ")
    assert first_line in done.stderr
    return error


def succeeds(site: Site) -> None:
    done = site.assess("run", "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert one_document(done.stdout)["run"]["exit"] == 0


@pytest.mark.parametrize("verb", ["run", "sync"])
def test_no_configuration(verb: str, site: Site) -> None:
    site.config.unlink()
    error = failed(site, code=2, kind="configuration", verb=verb)
    assert str(site.config) in error["message"]


@pytest.mark.parametrize("text", ["[runtime", "\x00", "[registry]\nurl = 1\n", "\ud800"], ids=ascii)
def test_no_toml_or_not_ours(text: str, site: Site) -> None:
    good = site.config.read_bytes()
    site.config.write_bytes(text.encode("utf-8", "surrogatepass"))
    error = failed(site, code=2, kind="configuration")
    assert error["problems"]
    assert all(str(site.config) in problem for problem in error["problems"])
    site.config.write_bytes(good)
    succeeds(site)


@pytest.mark.parametrize(
    "argv", [["--fail-on", "lowish"], ["--no-such-option"], ["surplus"], ["--report", "docx=x"]], ids=" ".join
)
def test_wrong_usage(argv: list[str], site: Site) -> None:
    failed(site, *argv, code=2, kind="usage")


def test_the_registry_is_gone_before_the_first_run(site: Site) -> None:
    """Nothing can be installed, so nothing was assessed: incomplete, and never a clean run."""
    gone = site.tree.root.rename(site.directory / "elsewhere")
    done = site.assess("run", "--output", "json")
    document = one_document(done.stdout)
    assert done.returncode == document["run"]["exit"] == 4, done.stderr
    assert document["results"] == []
    assert "not installed" in document["run"]["assessments"][0]["problem"]
    synced = site.assess("sync", "--output", "json")
    assert synced.returncode == 1
    assert one_document(synced.stdout)["plugins"][0]["action"] == "failed"
    gone.rename(site.tree.root)
    succeeds(site)


def test_the_registry_is_gone_after_the_first_run(site: Site) -> None:
    """What was verified before runs on, and every result says that the registry was not asked."""
    succeeds(site)
    site.tree.root.rename(site.directory / "elsewhere")
    done = site.assess("run", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert {result["stale"] for result in one_document(done.stdout)["results"]} == {True}
    assert "using what is installed" in done.stderr


@pytest.mark.parametrize("verb", ["run", "sync"])
def test_no_root(verb: str, site: Site) -> None:
    """Without it nobody could say whose word counts: nothing is looked at."""
    kept = site.root.rename(site.directory / "kept.json")
    error = failed(site, code=2, kind="configuration", verb=verb)
    assert str(site.root) in error["message"]
    kept.rename(site.root)
    succeeds(site)


@pytest.mark.parametrize("verb", ["run", "sync"])
def test_the_state_directory_cannot_be_made(verb: str, site: Site) -> None:
    file = site.directory / "file"
    file.write_text("a file")
    error = failed(site, "--state-dir", file / "below", code=1, kind="system", verb=verb)
    assert str(file) in error["message"]


def test_the_state_directory_is_not_writable(site: Site) -> None:
    sealed = site.directory / "sealed"
    sealed.mkdir(mode=0o500)
    # Modes do not stop root; a file system that nobody may write to does.
    prefix = mounting("ro,mode=0700", sealed) if os.geteuid() == 0 else ()
    error = failed(site, "--state-dir", sealed, code=1, kind="system", prefix=prefix)
    assert str(sealed) in error["message"]
    sealed.chmod(0o700)
    control = site.assess("run", "--state-dir", sealed, prefix=mounting("rw,mode=0700", sealed) if prefix else ())
    assert control.returncode == 0, control.stdout + control.stderr


def mounting(options: str, directory: Path) -> list[str]:
    """A command prefix: what follows runs with a file system of its own at `directory`."""
    require_program("unshare")
    require_root("to mount a file system")
    mounted = 'mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", mounted, options, str(directory)]


def test_the_disk_of_the_state_directory_is_full(site: Site, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    error = failed(
        site, "--state-dir", small, code=1, kind="operational", prefix=mounting("size=300k,mode=0700", small)
    )
    assert str(small) in error["message"]
    control = site.assess("run", "--state-dir", small, prefix=mounting("size=30m,mode=0700", small))
    assert control.returncode == 0, control.stdout + control.stderr


@pytest.mark.parametrize("output", ["table", "json", "oscal"])
def test_a_full_disk_for_stdout_is_no_success(output: str, published: Site) -> None:
    command = " ".join(map(str, published.argv("run", "--output", output)))
    full = published.place.shell(f"{command} > /dev/full")
    assert full.returncode == 1, full.stderr
    assert "no space left on device; make room" in full.stderr
    assert "Traceback" not in full.stderr
    assert "Exception ignored" not in full.stderr
    assert published.place.shell(f"{command} > /dev/null").returncode == 0


@pytest.mark.parametrize(
    "line", ["assess --help", "assess run --list-checks --config {}", "assess results list --config {}"]
)
def test_no_command_takes_a_full_disk_for_success(line: str, published: Site) -> None:
    line = line.format(published.config)
    assert published.place.shell(f"{line} > /dev/full").returncode == 1
    assert published.place.shell(f"{line} > /dev/null").returncode == 0


def test_a_report_that_cannot_be_written_is_no_success(published: Site) -> None:
    failed(published, "--report", f"json={published.config}/below.json", code=2, kind="configuration")
    failed(published, "--report", "json=/dev/full/x", code=2, kind="configuration")


def test_errors_of_a_full_stdout_are_still_said_on_stderr(site: Site) -> None:
    site.config.unlink()
    command = " ".join(map(str, site.argv("run", "--output", "json")))
    done = site.place.shell(f"{command} > /dev/full")
    assert done.returncode == 2
    assert str(site.config) in done.stderr


def test_the_document_and_the_exit_code_do_not_depend_on_stderr(site: Site) -> None:
    site.config.unlink()
    command = " ".join(map(str, site.argv("run", "--output", "json")))
    for stderr in ("/dev/full", "/dev/null"):
        done = site.place.shell(f"{command} 2>{stderr}")
        assert done.returncode == 2
        assert one_document(done.stdout)["error"]["kind"] == "configuration"


def test_a_damaged_journal_is_no_success(site: Site) -> None:
    succeeds(site)
    (site.state / "journal.db").write_bytes(b"this was a database" * 100)
    failed(site, code=6, kind="damaged")


def test_checks_are_listed_as_a_document_too(published: Site) -> None:
    listed = published.assess("run", "--list-checks", "--output", "json")
    assert listed.returncode == 0
    checks = one_document(listed.stdout)["checks"]
    assert [(check["assessment"], check["id"]) for check in checks] == [("demo", check) for check in DEMO_CHECKS]
    failed(published, "--list-checks", "--check", "no-such-check", code=2, kind="configuration")
    as_table = published.assess("run", "--list-checks")
    assert all(check in as_table.stdout for check in DEMO_CHECKS)
    assert published.assess("run", "--list-checks", "--output", "oscal").returncode == 2

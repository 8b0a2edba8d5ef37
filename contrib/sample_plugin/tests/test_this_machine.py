"""The plugin on the machine that runs the tests: whatever it is, every check answers and the manifest suffices."""

import os
import platform
import sys
import time
from pathlib import Path

import pytest

from assess_host_baseline import plugin, provider
from assess_plugin import Outcome
from assess_plugin.testing import LocalHost, evaluate, execute

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="this plugin assesses Linux")


def test_every_check_answers_and_nothing_is_denied(local_host: LocalHost) -> None:
    started = time.monotonic()
    results = execute(plugin, "host-baseline", local_host)
    took_s = time.monotonic() - started
    assert not [result.reason for result in results.values() if "not permitted" in result.reason]
    errors = [result.reason for result in results.values() if result.outcome == Outcome.ERROR]
    assert [reason for reason in errors if not reason.startswith(("Malformed: ", "HostError: "))] == []
    assert {Outcome.PASS, Outcome.FAIL} & {result.outcome for result in results.values()}
    assert took_s < 20  # 0.4 s when files are in the cache; the limit is that of the search


def test_the_running_kernel_is_read(local_host: LocalHost) -> None:
    (result,) = execute(plugin, "host-baseline", local_host, checks=["sysctl-randomize-va-space"]).values()
    assert result.actual == Path("/proc/sys/kernel/randomize_va_space").read_text("ascii").strip()


def test_what_cannot_be_read_is_never_a_pass(local_host: LocalHost) -> None:
    results = execute(plugin, "host-baseline", local_host, checks=["account-empty-passwords"])
    readable = os.access("/etc/shadow", os.R_OK)
    known = results["account-empty-passwords"].outcome in (Outcome.PASS, Outcome.FAIL)
    assert known == readable


def test_the_provider_finds_this_machine(local_host: LocalHost) -> None:
    (subject,) = evaluate(provider, local_host)
    assert subject.id == f"host:{platform.node()}"
    assert subject.labels["arch"] == platform.machine()

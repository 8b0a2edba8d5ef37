"""Ids of checks are followed into results; where they are computed, that is said, and honest tables are left alone."""

import pytest

from assess_registry.audit.checks import manifest
from assess_registry.audit.values import Finding
from tests.support.examining import examined, ids, plugin_with
from tests.support.wheels import DEMO_CHECKS

USED = 'read = ["/proc/sys"]\ncommands = [["uname", "-s"]]\n'
GOOD = DEMO_CHECKS[0]


def findings(source: str, **files: str) -> tuple[Finding, ...]:
    builder = plugin_with(f"PLACE = '/proc/sys'\n{source}", permissions=USED, **files)
    return examined(manifest, builder).findings


@pytest.mark.parametrize(
    "code",
    [
        "CheckResult(**{{'check_id': '{}', 'outcome': 1}})",
        "CheckResult(**dict(check_id='{}', outcome=1))",
        "import dataclasses\ndataclasses.replace(r, check_id='{}')",
        "from copy import replace\nreplace(r, check_id='{}')",
        "def make(c):\n    return CheckResult(check_id=c)\nmake('{}')",
        "def make(a, *, c):\n    return CheckResult(check_id=c)\nmake(1, c='{}')",
        "def make(c):\n    return CheckResult(check_id=c)\ndef more(d):\n    return make(d)\nmore('{}')",
        "class Make:\n    def make(self, c):\n        return CheckResult(check_id=c)\nMake().make('{}')",
        "class Row:\n    check_id: str\nr = Row('{}')\nCheckResult(check_id=r.check_id)",
        "from functools import partial\npartial(CheckResult, check_id='{}')()",
        "check_id = '{}'\nother = check_id\nCheckResult(check_id=other)",
        "class Ids:\n    KERNEL = '{}'\nCheckResult(check_id=Ids.KERNEL)",
        "(c := '{}')\nCheckResult(check_id=c)",
        "def f(check_id='{}'):\n    return CheckResult(check_id=check_id)",
        "from .verdicts import verdict\nverdict('{}', ok=True)",
        "from . import verdicts\nverdicts.verdict('{}', ok=True)",
        "from .verdicts import KERNEL as K\nCheckResult(check_id=K)",
    ],
)
def test_an_id_is_followed_into_the_result(code: str) -> None:
    def found(check_id: str) -> tuple[Finding, ...]:
        verdicts = (
            "from assess_plugin import CheckResult\n"
            f"KERNEL = '{check_id if 'KERNEL' in code else GOOD}'\n"
            "def verdict(c, *, ok):\n    return CheckResult(check_id=c, outcome=ok)"
        )
        return findings(code.format(check_id), verdicts__py=verdicts)

    assert ids(found("demo-other")) == ["undeclared-check"]
    assert found(GOOD) == ()


@pytest.mark.parametrize(
    ("computed", "plain"),
    [
        ("CheckResult(check_id=f'demo-{x}')", f"CheckResult(check_id='{GOOD}')"),
        ("CheckResult(check_id='demo-' + x)", f"CheckResult(check_id='{GOOD}')"),
        ("CheckResult(check_id=x())", f"CheckResult(check_id='{GOOD}')"),
        ("CheckResult(**x)", f"CheckResult(check_id='{GOOD}', **x)"),
        ("R = CheckResult\nR(**x)", f"R = CheckResult\nR(check_id='{GOOD}', **x)"),
        ("c = 'demo-' + x\nCheckResult(check_id=c)", f"c = '{GOOD}'\nCheckResult(check_id=c)"),
        ("c = x()\nCheckResult(check_id=c)", "c = input.checks[0]\nCheckResult(check_id=c)"),
        (f"c = '{GOOD}'\nc += x\nCheckResult(check_id=c)", f"c = '{GOOD}'\nd += x\nCheckResult(check_id=c)"),
        (
            "def make(c):\n    return CheckResult(check_id=c)\nmake('demo-' + x)",
            f"def make(c):\n    return CheckResult(check_id=c)\nmake('{GOOD}')",
        ),
        (
            "def make(c):\n    return CheckResult(check_id=c)\nmake(x())",
            "def make(c):\n    return CheckResult(check_id=c)\nmake(x.check_id)",
        ),
        (
            "import dataclasses\ndataclasses.replace(r, check_id=x())",
            "import dataclasses\ndataclasses.replace(r, a=x())",
        ),
        ("import dataclasses\ndataclasses.replace(r, **x)", "import dataclasses\ndataclasses.replace(r, reason=x)"),
        ("CheckResult.model_construct(check_id=x())", "CheckResult.__name__"),
        ("CheckResult.__new__(CheckResult)", "CheckResult.__doc__"),
        ("object.__setattr__(r, 'check_id', x)", "object.__setattr__(r, 'reason', x)"),
        ("setattr(r, 'check_id', x)", "setattr(r, 'reason', x)"),
        (
            "from assess_plugin import Checks\nc = Checks()\nc.check('demo-' + x)(print)",
            f"from assess_plugin import Checks\nc = Checks()\nc.check('{GOOD}')(print)",
        ),
    ],
)
def test_a_computed_id_is_said(computed: str, plain: str) -> None:
    assert "computed-check" in ids(findings(computed))
    assert findings(plain) == ()


@pytest.mark.parametrize(
    "honest",
    [
        "def f(input):\n    return [CheckResult(check_id=c) for c in input.checks]",
        "def f(input):\n    for c in input.checks:\n        CheckResult(check_id=c)",
        "def f(input):\n    (c,) = input.checks\n    CheckResult(check_id=c)",
        "def f(input):\n    c = input.checks[0]\n    CheckResult(check_id=c)",
        "def f(input):\n    CheckResult(check_id=input.checks[0])",
        f"ROWS = {{'{GOOD}': 1}}\nfor c, n in ROWS.items():\n    CheckResult(check_id=c)",
        f"ROWS = [('{GOOD}', 1)]\nfor c, n in ROWS:\n    CheckResult(check_id=c)",
        f"ROWS = {{1: '{GOOD}'}}\nCheckResult(check_id=ROWS[x])",
        "from assess_plugin import Checks\nC = Checks()\nfor row in ROWS:\n    C.check(row.check_id)(print)",
        f"import assess_plugin as a\nC = a.Checks()\ndef add(c):\n    return C.check(c)\n@add('{GOOD}')\ndef f(): ...",
        "text.replace('a', 'b')\nlog(check_id=x())",
    ],
)
def test_honest_tables_are_left_alone(honest: str) -> None:
    assert findings(honest) == ()

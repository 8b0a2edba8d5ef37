"""What is asked of the host is held against the manifest, however its arguments and the host itself are written."""

import pytest

from assess_registry.audit.checks import permissions
from assess_registry.audit.checks.permissions.host_calls import Refused, Unknown, judge_call
from assess_registry.audit.code import Argument
from assess_registry.audit.values import Finding
from assess_registry.manifest import Permissions
from tests.support.examining import PERMISSIONS, examined, ids, plugin_with
from tests.support.wheels import DEMO_SOURCE

FIRST = DEMO_SOURCE.count("\n") + 1
"""The line at which added source begins."""

UNAME = 'commands = [["uname", "-s"]]\n'
"""What the demo plugin itself asks for."""


def findings(text: str, permits: str = PERMISSIONS, **files: str) -> tuple[Finding, ...]:
    return examined(permissions, plugin_with(text, permissions=permits, **files)).findings


@pytest.mark.parametrize(
    ("bad", "good", "kind"),
    [
        ("host.run(argv=['id', '-u'])", "host.run(argv=['uname', '-s'])", "undeclared-command"),
        ("host.open(path='/etc/shadow')", "host.open(path='/proc/sys/a')", "undeclared-path"),
        ("host.stat(path='/etc/passwd')", "host.stat(path='/etc/shadow')", "undeclared-path"),
        ("host.connect(host='a.example', port=80)", "host.log(message='a.example')", "undeclared-socket"),
        ("host.secret(name='tok')", "host.log(message='tok')", "undeclared-secret"),
        ("host.run('id -u'.split())", "host.run('uname -s'.split())", "undeclared-command"),
        ("host.run('id,-u'.split(','))", "host.run('uname,-s'.split(','))", "undeclared-command"),
        ("host.run(list(('id', '-u')))", "host.run(list(('uname', '-s')))", "undeclared-command"),
        ("host.run(['id'] + ['-u'])", "host.run(['uname'] + ['-s'])", "undeclared-command"),
        ("host.run([*['id'], '-u'])", "host.run([*['uname'], '-s'])", "undeclared-command"),
        ("host.run(*[['id', '-u']])", "host.run(*[['uname', '-s']])", "undeclared-command"),
        ("host.run(**{'argv': ['id', '-u']})", "host.run(**{'argv': ['uname', '-s']})", "undeclared-command"),
        ("host.run(**dict(argv=['id', '-u']))", "host.run(**dict(argv=['uname', '-s']))", "undeclared-command"),
        ("getattr(host, x)(['uname', '-s'])", "getattr(host, 'run')(['uname', '-s'])", "unclear-host-call"),
        ("x.run(['id', '-u'])", "x.run(['uname', '-s'])", "unclear-host-call"),
        ("x().run(argv=['id', '-u'])", "x().run(args=['id', '-u'])", "unclear-host-call"),
        ("x.open('/etc/passwd')", "x.open('r')", "unclear-host-call"),
        ("x.stat('/etc/passwd')", "x.stat(5)", "unclear-host-call"),
        ("x.connect('a.example', 80)", "x.connect('a.example')", "unclear-host-call"),
        ("x.secret('tok')", "x.secret()", "unclear-host-call"),
        ("import copy; copy.copy(host).run(['id'])", "import copy; copy.copy(host).run(['uname', '-s'])", ""),
    ],
)
def test_however_it_is_written(bad: str, good: str, kind: str) -> None:
    found = findings(f"def f(host, x):\n    {bad}")
    assert [(each.id, each.line) for each in found] == [(kind or "unclear-host-call", FIRST + 1)]
    assert findings(f"def f(host, x):\n    {good}") == ()


@pytest.mark.parametrize(
    ("call", "permits"),
    [
        ("host.run(x)", UNAME),
        ("host.run(*x)", UNAME),
        ("host.run(**x)", UNAME),
        ("map(host.run, x)", UNAME),
        ("host.open(x)", 'read = ["/etc/ssh"]\n'),
        ("host.open(path=x)", 'read = ["/etc/ssh"]\n'),
        ("host.stat(x)", 'stat = ["/etc/ssh"]\n'),
    ],
)
def test_what_cannot_be_read_needs_a_permission_of_its_kind(call: str, permits: str) -> None:
    other = 'read = ["/proc/sys"]\n' if permits == UNAME else UNAME
    text = f"def f(host, x):\n    {call}"
    (found,) = [each for each in findings(text, other) if each.line == FIRST + 1]
    assert (found.id, found.severity, permits.partition(" = ")[0] in found.advice) == (
        "unclear-host-call",
        "medium",
        True,
    )
    permitted = examined(permissions, plugin_with(text, permissions=permits))
    assert [each for each in permitted.findings if each.line == FIRST + 1] == []
    assert len(permitted.facts["computed_host_calls"]) == 1


OWN = "def run(): ...\n"
"""Whoever has functions of that name may call them: what is found behind it was followed, not guessed."""


@pytest.mark.parametrize(
    ("text", "helper"),
    [
        ("def g(input):\n    helper(input.host)", "def helper(h):\n    h.run({})"),
        ("def g(input):\n    helper(h=input.host)", "def helper(*, h):\n    h.run({})"),
        ("def g(input):\n    own = input.host\n    helper(1, own)", "def helper(a, h):\n    h.run({})"),
        ("def g(input):\n    h.helper(input.host)", "def helper(h):\n    h.run({})"),
        ("from functools import partial\ndef g(i):\n    partial(helper, i.host)()", "def helper(h):\n    h.run({})"),
        ("def g(input):\n    helper(input.host)", "def helper(a):\n    deeper(a)\ndef deeper(b):\n    b.run({})"),
        (
            "def g(input):\n    helper(input.host)",
            "class helper:\n    def __init__(self, a):\n        self.b = a\n    def c(self):\n        self.b.run({})",
        ),
        (
            "def g(input):\n    helper(a=input.host)",
            "class helper:\n    a: object\n    def c(self):\n        self.a.run({})",
        ),
        ("", "from assess_plugin import Host\ndef helper(h: Host):\n    h.run({})"),
        ("", "import assess_plugin as a\ndef helper(h: 'a.Host | None'):\n    h.run({})"),
    ],
)
@pytest.mark.parametrize("where", ["here", "in another file"])
def test_the_host_under_another_name(text: str, helper: str, where: str) -> None:
    def found(argv: str) -> tuple[Finding, ...]:
        code = OWN + helper.format(argv)
        if where == "here":
            return findings(f"{code}\n{text}")
        return findings(f"from . import h\nfrom .h import helper\n{text}", h__py=code)

    assert ids(found("['id', '-u']")) == ["undeclared-command"]
    assert found("['uname', '-s']") == ()


@pytest.mark.parametrize(
    "honest",
    [
        "from storage import Runner\nRunner().run(['id'])",
        "from storage import Runner\nr = Runner()\nr.run(['id'])",
        "from storage import Runner\ndef f(r: Runner):\n    r.run(['id'])",
        "class Tool:\n    def run(self, argv): ...\nTool().run(['id'])",
        "import io\ndef f(z):\n    z.open('a/b.txt')",
        "def helper(port):\n    port.run(x)\ndef f(input):\n    helper(input.port)",
    ],
)
def test_what_is_no_host(honest: str) -> None:
    assert findings(honest) == ()


@pytest.mark.parametrize(
    ("path", "is_prefix", "may_be"),
    [
        ("/home/a/.ssh/config", False, True),
        ("/home/a/.netrc", False, False),
        ("/home/", True, True),
        ("/home/a", True, True),
        ("/srv/", True, False),
    ],
)
def test_a_star_admits_what_it_may_stand_for(path: str, is_prefix: bool, may_be: bool) -> None:
    permitted = Permissions(read=("/home/*/.ssh",))
    for method in ("open", "stat"):
        judged = judge_call(method, (Argument(text=path, is_prefix=is_prefix),), permitted)
        assert (judged is None) is may_be


def test_a_secret_by_a_computed_name_needs_one_that_is_named() -> None:
    for text, secrets, expected in (
        (None, (), Refused),
        (None, ("db",), Unknown),
        ("db", ("db",), type(None)),
        ("token", ("db",), Refused),
    ):
        assert isinstance(judge_call("secret", (Argument(text=text),), Permissions(secrets=secrets)), expected)

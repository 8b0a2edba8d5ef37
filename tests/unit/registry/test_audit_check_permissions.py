"""What the sandbox would refuse is found in the source, under whatever name, and nothing else is."""

import pytest

from assess_registry.audit.checks import permissions
from assess_registry.audit.checks.permissions import check
from assess_registry.audit.checks.permissions.kinds import PASSED_ON, SOCKET, SOCKET_BY_HAND
from assess_registry.audit.checks.permissions.rules import HARMLESS, KINDS
from assess_registry.audit.code import Mention, source
from assess_registry.audit.values import Finding
from tests.support.examining import PERMISSIONS, examined, ids, only, plugin_with
from tests.support.wheels import DEMO_SOURCE

UNAME = 'commands = [["uname", "-s"]]\n'
"""What the demo plugin itself asks for."""

FIRST = DEMO_SOURCE.count("\n") + 1
"""The line at which added source begins."""


def findings(text: str, **changes: str) -> tuple[Finding, ...]:
    return examined(permissions, plugin_with(text, permissions=changes.get("permissions", PERMISSIONS))).findings


@pytest.mark.parametrize(
    ("bad", "good", "kind"),
    [
        ("import socket", "import struct", "undeclared-socket"),
        ("import socket as s\ns.socket()", "import string as s\ns.digits", "undeclared-socket"),
        ("from urllib import request", "from urllib import parse", "undeclared-socket"),
        ("import urllib.parse, urllib.request", "import urllib.parse", "undeclared-socket"),
        ("import asyncio\nasyncio.open_connection('h', 1)", "import asyncio\nasyncio.sleep(1)", "undeclared-socket"),
        ("import logging.handlers as l\nl.SysLogHandler()", "import logging as l\nl.getLogger()", "undeclared-socket"),
        ("import requests.sessions", "import json.decoder", "undeclared-socket"),
        (
            "from subprocess import run as r\nr(['id'])",
            "from re import match as r\nr('a', 'b')",
            "process-outside-host",
        ),
        ("import os\nos.system('id')", "import os\nos.getpid()", "process-outside-host"),
        ("import os\no = os\no.execv('/bin/sh', [])", "import os\no = os\no.getpid()", "process-outside-host"),
        (
            "import os\ngetattr(os, 'sys' + 'tem')('id')",
            "import os\ngetattr(os, 'get' + 'pid')()",
            "process-outside-host",
        ),
        ("from os import *\nsystem('id')", "from os import *\ngetpid()", "process-outside-host"),
        ("from .helpers import os\nos.popen('id')", "from .helpers import os\nos.getpid()", "process-outside-host"),
        ("import helpers\nhelpers.os.fork()", "import helpers\nhelpers.os.getpid()", "process-outside-host"),
        ("__import__('os').fork()", "__import__('os').getpid()", "process-outside-host"),
        (
            "import importlib as i\ni.import_module('pty')",
            "import importlib as i\ni.import_module('re')",
            "process-outside-host",
        ),
        (
            "import sys\nsys.modules['posix'].fork()",
            "import sys\nsys.modules['posix'].getpid()",
            "process-outside-host",
        ),
        ("import os\ndef f(o=os):\n    o.fork()", "import os\ndef f(o=os):\n    o.getpid()", "process-outside-host"),
        ("if TYPE_CHECKING:\n    import subprocess", "if TYPE_CHECKING:\n    import string", "process-outside-host"),
        ("open('/etc/passwd')", "print('/etc/passwd')", "file-outside-host"),
        ("read = open", "read = print", "file-outside-host"),
        (
            "import pathlib\npathlib.Path('/a').read_text()",
            "import pathlib\npathlib.PurePath('/a').name",
            "file-outside-host",
        ),
        (
            "from pathlib import Path as P\n(P('/a') / 'b').open()",
            "from pathlib import Path as P\n(P('/a') / 'b').name",
            "file-outside-host",
        ),
        (
            "from pathlib import Path\ndef f(p: Path):\n    p.unlink()",
            "from pathlib import Path\ndef f(p: Path):\n    p.name",
            "file-outside-host",
        ),
        ("import os\nos.path.exists('/a')", "import os\nos.path.join('/a')", "file-outside-host"),
        ("import tempfile", "import textwrap", "scratch-file"),
        ("eval('1')", "abs('1')", "dynamic-code"),
        ("list(map(exec, []))", "list(map(repr, []))", "dynamic-code"),
        ("__builtins__['eval']('1')", "print('1')", "dynamic-code"),
        ("__import__(input())", "__import__('re')", "dynamic-code"),
        (
            "import importlib\nimportlib.import_module(x)",
            "import importlib\nimportlib.import_module('re')",
            "dynamic-code",
        ),
        ("import os, x\ngetattr(os, x.y)", "import os, x\ngetattr(x.y, x.y)", "dynamic-code"),
        ("import os\nos.__dict__['fork']()", "import os\nos.__dict__['getpid']()", "process-outside-host"),
        ("import os\nos.__dict__[x]()", "import os\nos.__dict__['getpid']()", "dynamic-code"),
        ("import pickle\npickle.loads(b'')", "import json\njson.loads(b'')", "dynamic-code"),
        ("import marshal\nmarshal.loads(b'')", "import zlib\nzlib.crc32(b'')", "dynamic-code"),
        ("from ctypes import CDLL", "from struct import Struct", "native-interface"),
        ("import cffi", "import cmath", "native-interface"),
        ("import sys\nsys.settrace(None)", "import sys\nsys.intern('a')", "interpreter-tampering"),
        ("().__class__.__base__.__subclasses__()", "().__class__.__base__.__name__", "interpreter-tampering"),
        ("import gc\ngc.get_objects()", "import gc\ngc.collect()", "interpreter-tampering"),
        ("import os\nos.setuid(0)", "import os\nos.getuid()", "process-control"),
        ("import os\nf([os])", "import os\nf([os.sep])", "module-passed-on"),
        ("import os\nos.environ['SECRET']", "import os\nos.environ['HOME']", "undeclared-env"),
        ("from os import getenv as g\ng('SECRET')", "from os import getenv as g\ng('TZ')", "undeclared-env"),
        ("import os\ndict(os.environ)", "import os\ndict(os.environ['HOME'])", "environment-read"),
        ("def f(host):\n    host.run(['id'])", "def f(host):\n    host.run(['uname', '-s'])", "undeclared-command"),
        (
            "def f(i, x):\n    i.host.run(['rpm', x])",
            "def f(i, x):\n    i.host.run(['rpm', '-q', x])",
            "undeclared-command",
        ),
        (
            "QUERY = ['id']\ndef f(host):\n    host.run(QUERY)",
            "QUERY = ['uname', '-s']\ndef f(host):\n    host.run(QUERY)",
            "undeclared-command",
        ),
        (
            "def f(i):\n    h = i.host\n    h.run(['id'])",
            "def f(i):\n    h = i.port\n    h.ran(['id'])",
            "undeclared-command",
        ),
        ("def f(host):\n    host.open('/etc/shadow')", "def f(host):\n    host.open('/proc/sys/a')", "undeclared-path"),
        (
            "def f(host):\n    host.open('/a').read()",
            "def f(host):\n    host.open('/proc/sys/a').read()",
            "undeclared-path",
        ),
        ("def f(host):\n    host.stat('/etc/passwd')", "def f(host):\n    host.stat('/etc/shadow')", "undeclared-path"),
        (
            "def f(host, x):\n    host.open(f'/srv/{x}')",
            "def f(host, x):\n    host.open(f'/proc/{x}')",
            "undeclared-path",
        ),
        (
            "def f(host):\n    host.connect('a.example', 1)",
            "def f(host):\n    host.log('a.example')",
            "undeclared-socket",
        ),
    ],
)
def test_each_kind_is_found_and_its_neighbour_is_not(bad: str, good: str, kind: str) -> None:
    assert kind in ids(findings(bad))
    assert ids(findings(good)) == []


def test_the_plain_demo_plugin_has_no_findings() -> None:
    assert findings("") == ()


def test_the_line_and_the_manifest_entry_are_named() -> None:
    found = findings("import socket\nx = 1\nsocket.create_connection(('db.example.org', 5432))\n")
    first, second = [each for each in found if each.id == "undeclared-socket"]
    assert (first.entry, first.line, second.line) == ("demo_plugin/__init__.py", FIRST, FIRST + 2)
    assert 'network = ["db.example.org:5432"]' in second.advice


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("host.run(['ls', '-l', x])", 'commands = [["ls", "-l", "*"]]'),
        ("host.open('/etc/hosts')", 'read = ["/etc/hosts"]'),
        ("host.stat('/etc/hosts')", 'stat = ["/etc/hosts"]'),
        ("host.connect('a.example', 443)", 'network = ["a.example:443"]'),
        ("host.connect('::1', 443)", 'network = ["[::1]:443"]'),
        ("import subprocess; subprocess.run(['id', '-u'])", 'commands = [["id", "-u"]]'),
        ("import os; os.system('id -u')", 'commands = [["id", "-u"]]'),
        ("import os; os.environ['A_B']", 'env = ["A_B"]'),
    ],
)
def test_the_advice_is_the_line_that_would_declare_it(code: str, line: str) -> None:
    assert any(line in each.advice for each in findings(f"def f(host, x):\n    {code}\n"))


def test_a_declared_network_makes_sockets_by_hand_a_lesser_finding() -> None:
    assert ids(findings("import socket", permissions=f'network = ["a.example:1"]\n{UNAME}')) == ["socket-outside-host"]
    shimmed = "import socket\nfrom assess_plugin.shim import shim\ndef f(host):\n    with shim(host):\n        pass"
    assert ids(findings(shimmed, permissions=f'network = ["a.example:1"]\n{UNAME}')) == ["socket-through-shim"]
    assert ids(findings(shimmed)) == ["undeclared-socket"], "whatever it imports: no network is declared"
    connects = "def f(host):\n    host.connect('a.example', {})"
    assert ids(findings(connects.format(1), permissions=f'network = ["a.example:1"]\n{UNAME}')) == []
    assert ids(findings(connects.format(2), permissions=f'network = ["a.example:1"]\n{UNAME}')) == ["undeclared-socket"]


def test_members_that_touch_nothing_do_not_make_a_module_suspect() -> None:
    assert ids(findings("import socket\nsocket.inet_aton('1.2.3.4')")) == []
    assert ids(findings("import socket\nsocket.inet_aton('1.2.3.4')\nsocket.socket()")) == ["undeclared-socket"]


def test_a_declared_variable_may_be_read() -> None:
    text = "import os\nos.environ.get('PROXY').split(',')"
    assert ids(findings(text, permissions=f'env = ["PROXY"]\n{UNAME}')) == []
    assert ids(findings(text, permissions=f'env = ["OTHER"]\n{UNAME}')) == ["undeclared-env"]


def test_computed_arguments_are_counted_not_guessed() -> None:
    found = examined(permissions, plugin_with("def f(host, argv):\n    host.run(argv)\n", permissions=PERMISSIONS))
    assert found.findings == ()
    assert found.facts["host_calls_with_computed_arguments"] == 1
    assert found.facts["computed_host_calls"] == [f"demo_plugin/__init__.py:{FIRST + 1} host.run"]


@pytest.mark.parametrize(
    "content",
    [
        b"def f(:\n",
        b"x = '\xff'\n",
        b"# coding: made-up\nx = 1\n",
        b"a\0b\n",
        b"a" + b".b" * 50_000,
        b"-" * 50_000 + b"1",
        b"x = " + b"1" * 5000,
        b"x = [\n" + b"1,\n" * 360_000 + b"]\n",
    ],
    ids=["syntax", "utf-8", "codec", "nul", "chain", "nesting", "digits", "statement"],
)
def test_a_file_that_cannot_be_read_is_said_and_is_not_a_pass(content: bytes) -> None:
    found = examined(permissions, plugin_with("", more__py=content))
    assert only(found, "source-unread").entry == "demo_plugin/more.py"
    assert len(found.incomplete) == 1
    control = examined(permissions, plugin_with("", more__py=b"x = 1\n"))
    assert (ids(control), control.incomplete) == ([], ())


def test_comments_are_not_counted_as_a_statement() -> None:
    text = "# a comment of some length\n" * 60_000 + "\n" * 60_000 + "import socket\n"
    found = examined(permissions, plugin_with("", more__py=text))
    assert (only(found, "undeclared-socket").line, found.incomplete) == (120_001, ())


def test_one_function_may_be_too_long() -> None:
    text = "def f():\n" + "    x = 1\n" * 110_000
    assert ids(examined(permissions, plugin_with("", more__py=text))) == ["source-unread"]
    assert ids(examined(permissions, plugin_with("", more__py=text[: len(text) // 20].rpartition("\n")[0]))) == []


def test_many_calls_of_the_host_are_not_all_reported() -> None:
    text = "def f(host):\n" + "".join(f"    host.run(['a{number}'])\n" for number in range(200))
    assert len(findings(text)) == 50


def test_a_file_over_the_bound_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 5000)
    found = examined(permissions, plugin_with("", more__py=b"# x\n" * 2000))
    assert only(found, "source-unread").entry == "demo_plugin/more.py"


def test_the_coding_line_counts_as_it_does_for_the_interpreter() -> None:
    hidden = "# coding: utf-7\n+AGk-mport socket\n"
    assert "undeclared-socket" in ids(examined(permissions, plugin_with("", more__py=hidden.encode())))


def test_a_long_file_is_read_to_its_end_and_lines_are_counted_right(monkeypatch: pytest.MonkeyPatch) -> None:
    filler = 'x = """\ndef\n"""\ndef f(a):\n    return a.b(1)\n\n\n' * 250
    monkeypatch.setattr(source, "PIECE_CHARS", len(filler) // 2)
    lines = filler.count("\n")
    found = examined(permissions, plugin_with("", more__py=(filler + "import socket\n").encode()))
    assert only(found, "undeclared-socket").line == lines + 1
    assert found.incomplete == ()


def test_what_is_bound_in_one_piece_is_known_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    filler = "y = 1\n" * 1000
    monkeypatch.setattr(source, "PIECE_CHARS", len(filler) // 2)
    text = f"def f():\n    s.system('id')\n{filler}import os as s\n"
    assert only(examined(permissions, plugin_with("", more__py=text)), "process-outside-host").line == 2


def test_many_uses_are_reported_some_and_counted_all() -> None:
    found = findings("import os\n" + "os.fork()\n" * 500)
    assert len(found) == 20
    assert "480 more" in found[-1].message


def test_names_that_go_round_in_circles_end() -> None:
    assert ids(findings("a = b\nb = a\nc = c.d\nimport os\na = os\nb.fork()")) == ["process-outside-host"]


def test_every_kind_has_a_name_and_no_name_is_both_bad_and_harmless() -> None:
    every = {*KINDS.values(), SOCKET_BY_HAND, PASSED_ON}
    assert len({kind.id for kind in every}) == len(every)
    assert not HARMLESS & KINDS.keys()


def test_of_two_names_as_long_a_finding_has_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*names: str) -> tuple[Finding, ...]:
        used = [(SOCKET, name, Mention([1], 1)) for name in names]
        monkeypatch.setattr(check, "uses", lambda *_: used)
        return examined(permissions, plugin_with("")).findings

    assert found("requests", "botocore") == found("botocore", "requests")
    assert found("botocore") != found("requests")

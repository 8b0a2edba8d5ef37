"""Ways of hiding what a plugin does, each beside the same code that hides nothing.

What is followed is found under its own name; what nobody can follow is said to be so, and is never silently accepted.
"""

import json
from dataclasses import replace

import pytest

from assess_registry.audit.checks import permissions
from assess_registry.audit.code import source
from assess_registry.audit.values import Finding
from tests.support.examining import PERMISSIONS, examined, ids, plugin_with
from tests.support.wheels import DEMO_SOURCE

FIRST = DEMO_SOURCE.count("\n") + 1
"""The line at which added source begins."""


def findings(text: str, **files: str) -> tuple[Finding, ...]:
    return examined(permissions, plugin_with(text, permissions=PERMISSIONS, **files)).findings


RUN = ".system('id -u')"
"""What each of them comes to; in the control it is `getpid`, or the module is one that does nothing."""


@pytest.mark.parametrize(
    "hidden",
    [
        "import os\nclass A:\n    def f(self):\n        self.m = os\n        self.m.system('id -u')",
        "import os\nclass A:\n    m = os\nA.m.system('id -u')",
        "class A:\n    import os as m\nA.m.system('id -u')",
        "class A:\n    if x:\n        import os as m\nA.m.system('id -u')",
        "import os\nx.y = os\nz.y.system('id -u')",
        "import os\n[os][0].system('id -u')",
        "import os\nd = {'a': os}\nd['a'].system('id -u')",
        "import os\nd = {}\nd['a'] = os\nd['a'].system('id -u')",
        "import os\n(os if x else y).system('id -u')",
        "import os\n(x or os).system('id -u')",
        "import os\n(m := os).system('id -u')",
        "import os\n(m := os)\nm.system('id -u')",
        "import os\nm = x or os\nm.system('id -u')",
        "import os\nglobals()['os'].system('id -u')",
        "import os\nglobals().get('os').system('id -u')",
        "import os\nvars()['os'].system('id -u')",
        "import os\nlocals()['os'].system('id -u')",
        "import os\nimport sys\nsys.modules[__name__].os.system('id -u')",
        "import os\nimport sys\nsys.modules['demo_plugin'].os.system('id -u')",
        "import sys\nsys.modules['os'].system('id -u')",
        "import sys\nsys.modules.get('os').system('id -u')",
        "print.__self__.__import__('os').system('id -u')",
        "__builtins__['__import__']('os').system('id -u')",
        "vars(__builtins__)['__import__']('os').system('id -u')",
        "import os\nos.__getattribute__('system')('id -u')",
        "import os\nobject.__getattribute__(os, 'system')('id -u')",
        "import os\nvars(os)['system']('id -u')",
        "import os\nos.__dict__.get('system')('id -u')",
        "import random\nrandom._os.system('id -u')",
        "import random as r\ngetattr(r, '_os').system('id -u')",
        "import random\nvars(random)['_os'].system('id -u')",
        "from random import _os\n_os.system('id -u')",
        "from random import _os as m\nm.system('id -u')",
        "from glob import os as m\nm.system('id -u')",
        "import collections\ncollections._sys.modules['os'].system('id -u')",
        "from os import *\ndef decoy(system): ...\nsystem('id -u')",
        "from os import *\nclass A:\n    def system(self): ...\nsystem('id -u')",
        "def f():\n    import os as m\n    m.system('id -u')\ndef decoy(m): ...",
        "import operator\nimport os\noperator.methodcaller('system', 'id -u')(os)",
        "from operator import attrgetter as g\nimport operator\noperator.attrgetter('system')(x)('id -u')",
        "def f(m):\n    m.system('id -u')",
    ],
)
def test_a_hidden_module_is_followed(hidden: str) -> None:
    found = findings(hidden)
    line = FIRST + next(number for number, text in enumerate(hidden.split("\n")) if "id -u" in text)
    assert line in [each.line for each in found if each.id == "process-outside-host"], found
    assert "commands = [[" in next(each.advice for each in found if each.id == "process-outside-host")
    harmless = hidden.replace("system('id -u')", "getpid()").replace("'system'", "'getpid'").replace("system", "getpid")
    assert "process-outside-host" not in ids(findings(harmless))


@pytest.mark.parametrize(
    ("helper", "user"),
    [
        ("import os as m", "from .h import m\nm.fork()"),
        ("import os as m", "from demo_plugin.h import m as n\nn.fork()"),
        ("import os as m", "from . import h\nh.m.fork()"),
        ("import os as m", "import demo_plugin.h\ndemo_plugin.h.m.fork()"),
        ("import os as m", "import demo_plugin.h as n\nn.m.fork()"),
        ("import os as m", "from .h import *\nm.fork()"),
        ("import os as m", "import importlib\nimportlib.import_module('demo_plugin.h').m.fork()"),
        ("from os import *", "from .h import fork as f\nf()"),
        ("from os import fork as f", "from .h import f\nf()"),
        ("from .g import m", "from .h import m\nm.fork()"),
        ("class A:\n    pass\nimport os\nA.m = os", "from .h import A\nA.m.fork()"),
        ("import os\nclass A:\n    def __init__(self):\n        self.m = os", "from .h import A\nA().m.fork()"),
    ],
)
def test_what_one_file_binds_is_followed_in_another(helper: str, user: str) -> None:
    user_line = FIRST + user.count("\n")
    hidden = findings(user, h__py=helper, g__py="import os as m")
    assert user_line in [each.line for each in hidden if each.id == "process-outside-host"]
    control = findings(user.replace("fork", "getpid"), h__py=helper.replace("fork", "getpid"), g__py="import os as m")
    assert "process-outside-host" not in ids(control)


def test_stars_are_followed_through_files_and_in_circles() -> None:
    files = {f"h{number}__py": f"from .h{number + 1} import *\n" for number in range(20)}
    end = "from os import *\nfrom .h0 import *\n"
    used = "from .h0 import *\nfork()"
    assert FIRST + 1 in [
        each.line for each in findings(used, h20__py=end, **files) if each.id == "process-outside-host"
    ]
    assert ids(findings(used, h20__py="from .h0 import *\n", **files)) == []


@pytest.mark.parametrize(
    ("hidden", "plain", "kind"),
    [
        ("import os\nx.m = os", "import os\nx.m = os.sep", "module-passed-on"),
        ("import os\nf(x=[os])", "import os\nf(x=[os.sep])", "module-passed-on"),
        ("import os\nf(os.path)", "import os\nf(os.path.sep)", "module-passed-on"),
        ("f(__import__('os'))", "f(__import__('re').escape)", "module-passed-on"),
        ("import sys\nf(sys.modules['os'])", "import sys\nf(sys.modules['math'])", "module-passed-on"),
        ("import random\nf(random)", "import random\nf(random.random())", "module-passed-on"),
        ("import asyncio\nf(asyncio)", "import asyncio\nf(asyncio.Event())", "module-passed-on"),
        ("f(globals())", "f(dict())", "module-passed-on"),
        ("globals()[x]('id')", "table()[x]('id')", "dynamic-code"),
        ("import sys\nsys.modules[x].f()", "import sys\nsys.flags[x].f()", "dynamic-code"),
        ("import sys\nsys.modules.get(x).f()", "import sys\nx.modules.get(x).f()", "dynamic-code"),
        ("__builtins__[x]('id')", "builtin[x]('id')", "dynamic-code"),
        ("import os\ngetattr(os, 'sys' + x)", "import os\ngetattr(x, 'sys' + x)", "dynamic-code"),
        ("import random\ngetattr(random, x)", "import random\ngetattr(random.Random(), x)", "dynamic-code"),
        ("import random\nrandom.__dict__[x]", "import random\nrandom.a.__dict__[x]", "dynamic-code"),
        ("from . import h\ngetattr(h, x)", "from .h import A\ngetattr(A, x)", "dynamic-code"),
        ("import os\nos.__getattribute__(x)", "import os\nx.__getattribute__(x)", "dynamic-code"),
        ("g = getattr\ng(x, 'y')", "g = hasattr\ng(x, 'y')", "dynamic-code"),
        ("map(getattr, x, y)", "map(hasattr, x, y)", "dynamic-code"),
        ("import operator\noperator.attrgetter(x)", "import operator\noperator.attrgetter('a')", "dynamic-code"),
        ("import operator as o\no.methodcaller(x)", "import operator as o\no.methodcaller('a')", "dynamic-code"),
        ("__loader__.load_module('os')", "loader.load('os')", "interpreter-tampering"),
        ("__spec__.loader", "__spec__.name", "interpreter-tampering"),
        ("import re\nre.__spec__.loader", "import re\nre.__spec__.name", "interpreter-tampering"),
        ("f.__self__", "f.__name__", "interpreter-tampering"),
        (
            "from importlib.util import find_spec\nfind_spec('os').loader",
            "from importlib.util import find_spec\nfind_spec('os') is None",
            "interpreter-tampering",
        ),
        ("import importlib._bootstrap", "import importlib.resources", "interpreter-tampering"),
        ("import _imp", "import errno", "interpreter-tampering"),
        ("import sys\nsys.path.insert(0, x)", "import sys\nsys.path.index(x)", "interpreter-tampering"),
        ("import sys\nsys.path[0] = x", "import sys\nx = sys.path[0]", "interpreter-tampering"),
        ("import sys\nsys.modules['a'] = x", "import sys\nx = 'a' in sys.modules", "interpreter-tampering"),
        ("import sys\nf(sys.modules.values())", "import sys\nf(sys.modules.keys())", "interpreter-tampering"),
        ("import sys\ndict(sys.modules)", "import sys\nlist(sys.modules)", "interpreter-tampering"),
        ("import typing\ntyping.TYPE_CHECKING = 1", "import typing\nx = typing.TYPE_CHECKING", "interpreter-tampering"),
        ("x.typing.TYPE_CHECKING = 1", "x.typing.CHECKED = 1", "interpreter-tampering"),
        ("import typing\nvars(typing).update(x)", "vars(x).update(x)", "dynamic-code"),
        ("from typing import __dict__ as d", "from typing import Any as d", "interpreter-tampering"),
        ("from . import g\nf(g)", "from . import h\nf(h)", "module-passed-on"),
        ("from . import g\nf([g])", "from . import g\nf([g.x])", "module-passed-on"),
        ("globals()['x'] = y", "z['x'] = y", "interpreter-tampering"),
        ("def f(open): ...\nopen('/a')", "def f(path): ...\nprint('/a')", "file-outside-host"),
    ],
)
def test_what_cannot_be_followed_is_said(hidden: str, plain: str, kind: str) -> None:
    assert FIRST + hidden.count("\n") in [
        each.line for each in findings(hidden, h__py="", g__py="import os as m") if each.id == kind
    ]
    assert ids(findings(plain, h__py="", g__py="import os as m")) == []


@pytest.mark.parametrize(
    ("used", "plain", "kind"),
    [
        ("def f(loop):\n    loop.create_connection(x)", "def f(loop):\n    loop.create_task(x)", "undeclared-socket"),
        ("def f(loop):\n    loop.subprocess_exec(x)", "def f(loop):\n    loop.call_soon(x)", "process-outside-host"),
        (
            "import asyncio.streams as s\ns.open_connection()",
            "import asyncio.locks as s\ns.Lock()",
            "undeclared-socket",
        ),
        ("import gzip\ngzip.open('/a')", "import gzip\ngzip.decompress(x)", "file-outside-host"),
        ("import bz2\nbz2.open('/a')", "import bz2\nbz2.decompress(x)", "file-outside-host"),
        ("import lzma\nlzma.open('/a')", "import lzma\nlzma.decompress(x)", "file-outside-host"),
        (
            "import io, zipfile\nzipfile.ZipFile('/a')",
            "import io, zipfile\nzipfile.ZipFile(io.BytesIO(x))",
            "file-outside-host",
        ),
        ("import tarfile\ntarfile.open('/a')", "import tarfile\ntarfile.open(fileobj=x)", "file-outside-host"),
        ("import dbm", "import struct", "file-outside-host"),
        ("import shelve\nshelve.open('/a')", "import struct\nstruct.pack('a')", "dynamic-code"),
        (
            "import configparser\nc = configparser.ConfigParser()\nc.read('/a')",
            "import configparser\nc = configparser.ConfigParser()\nc.read_string('a')",
            "file-outside-host",
        ),
        ("import sqlite3\nsqlite3.connect('/a')", "import sqlite3\nsqlite3.connect(':memory:')", "file-outside-host"),
        ("def f(db):\n    db.load_extension('/a')", "def f(db):\n    db.execute('/a')", "native-interface"),
        ("import pkgutil\npkgutil.resolve_name(x)", "import pkgutil\npkgutil.extend_path(x)", "dynamic-code"),
        ("import pydoc\npydoc.locate(x)", "import pprint\npprint.pformat(x)", "dynamic-code"),
        (
            "from importlib.metadata import entry_points\nentry_points()",
            "from importlib.metadata import version\nversion('a')",
            "dynamic-code",
        ),
        ("import logging.config as c\nc.dictConfig(x)", "import logging as c\nc.getLogger(x)", "dynamic-code"),
        ("import typing as t\nt.get_type_hints(x)", "import typing as t\nt.cast(x)", "dynamic-code"),
        ("from typing import ForwardRef as F\nF('a')", "from typing import NewType as F\nF('a')", "dynamic-code"),
        *[(f"import {each}", "import textwrap", "dynamic-code") for each in ("timeit", "cProfile", "profile", "trace")],
        *[(f"import {each}", "import textwrap", "dynamic-code") for each in ("runpy", "doctest", "code")],
        *[(f"import {each}", "import textwrap", "process-outside-host") for each in ("venv", "ensurepip", "pipes")],
        *[(f"import {each}", "import textwrap", "process-outside-host") for each in ("tkinter", "webbrowser")],
        *[(f"import {each}", "import yaml", "undeclared-socket") for each in ("anyio", "trio", "twisted", "gevent")],
        *[(f"import {each}", "import yaml", "undeclared-socket") for each in ("docker", "kubernetes", "paramiko")],
        ("import logging.handlers\nlogging.handlers.socket.socket()", "import logging.handlers", "undeclared-socket"),
    ],
)
def test_what_else_reaches_out(used: str, plain: str, kind: str) -> None:
    assert FIRST + used.count("\n") in [each.line for each in findings(used) if each.id == kind]
    assert ids(findings(plain)) == []


@pytest.mark.parametrize(
    "honest",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import subprocess\ndef f(a: 'subprocess.Popen'): ...",
        "import typing as t\nif t.TYPE_CHECKING:\n    from socket import socket\ndef f(a: socket): ...",
        "import types\nisinstance(x, (types.FunctionType, types.MethodType))",
        "import types\ntype(x) is types.FunctionType",
        "import types\ndef f(a: types.FunctionType | None) -> types.CodeType: ...",
        "import sys\nfor each in sys.path:\n    print(each)",
        "import sys\n'a' in sys.path or 'a' in sys.modules or len(sys.path)",
        "import sys\nprint(sys.path)",
        "import atexit\natexit.register(print)",
        "import storage\nstorage.host.open('/a')",
        "from storage import connect\nc = connect()\nc.host.open('/a')",
        "from storage import Connection\ndef f(c: Connection):\n    c.host.open('/a')",
        "def f(a):\n    a.b.host.open('a')",
        "class Tool:\n    def run(self, argv): ...\ndef f(t):\n    t.run(['id'])",
        "import platform\nplatform.system()",
        "class A:\n    def system(self): ...\n    def f(self):\n        self.system()",
        "import math\nf(math)",
        "import sys\nf(sys.platform == 'linux', hasattr(sys, 'a'))",
        "import typing as t\ndef f(t):\n    return t % 60",
        "import email\nfor email in x:\n    f(email)",
        "f('demo_plugin')",
        "def f(a):\n    getattr(a, f'check_{a}')()",
        "from operator import attrgetter\nsorted(x, key=attrgetter('line'))",
    ],
)
def test_honest_code_is_left_alone(honest: str) -> None:
    assert findings(honest) == ()


@pytest.mark.parametrize(
    "pretended",
    [
        "TYPE_CHECKING = True\nif TYPE_CHECKING:\n    import subprocess",
        "from .h import TYPE_CHECKING\nif TYPE_CHECKING:\n    import subprocess",
        "from typing import TYPE_CHECKING\nTYPE_CHECKING = 1\nif TYPE_CHECKING:\n    import subprocess",
        "from typing import TYPE_CHECKING\nfrom .h import *\nif TYPE_CHECKING:\n    import subprocess",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import subprocess",
        "import h\nif h.TYPE_CHECKING:\n    import subprocess",
    ],
)
def test_not_every_type_checking_is_typing(pretended: str) -> None:
    assert "process-outside-host" in ids(findings(pretended))


def test_whoever_calls_itself_isinstance_is_no_builtin() -> None:
    text = "import types\nisinstance(x, types.FunctionType)"
    assert ids(findings(text)) == []
    assert ids(findings(f"def isinstance(a, b): ...\n{text}")) == ["dynamic-code"]


def test_a_secret_is_one_that_the_manifest_names() -> None:
    found = findings("def f(input):\n    input.host.secret('token')")
    (only,) = found
    line = '[permissions] secrets = ["token"]'
    assert (only.id, only.line, only.advice) == ("undeclared-secret", FIRST + 1, line)
    declared = f'{PERMISSIONS}secrets = ["token"]\n'
    builder = plugin_with("def f(input):\n    input.host.secret('token')", permissions=declared)
    newer = str(builder.manifest).replace('api = ">=1.0', 'api = ">=1.2')
    assert examined(permissions, replace(builder, manifest=newer)).findings == ()


def test_the_advice_names_what_is_run() -> None:
    private, found = sorted(findings("import random\nrandom._os.system('id -u')"), key=lambda each: each.id)
    assert (private.id, found.id) == ("private-member", "process-outside-host")
    assert json.dumps(["id", "-u"]) in found.advice


@pytest.mark.parametrize(
    "text", ["os.__dict__['']", "sys.modules['']", "globals()['']", "getattr(y, '')", "vars(os)['']"]
)
def test_a_name_that_nothing_can_have_is_no_crash(text: str) -> None:
    found = [each.id for each in findings(f"import os\nimport sys\n{text}\nos.system('id -u')")]
    assert "process-outside-host" in found


MORE_THAN_A_PIECE = "    x = 1\n" * 500


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PIECE_CHARS", len(MORE_THAN_A_PIECE) - 1000)


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize("branch", ["elif y:", "else:"])
def test_a_long_file_is_not_cut_in_front_of_a_branch(branch: str) -> None:
    lines = MORE_THAN_A_PIECE
    found = examined(permissions, plugin_with(f"if x:\n{lines}{branch}\n{lines}import os\nos.system('id -u')"))
    assert (ids(found), found.incomplete) == (["process-outside-host"], ())


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize("branch", ["except ValueError:", "finally:"])
def test_nor_in_front_of_what_ends_a_try(branch: str) -> None:
    lines = MORE_THAN_A_PIECE
    found = examined(permissions, plugin_with(f"try:\n{lines}{branch}\n{lines}import os\nos.system('id -u')"))
    assert (ids(found), found.incomplete) == (["process-outside-host"], ())

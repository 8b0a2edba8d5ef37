"""Of the standard library what computes is free; what is private, unlisted or reaches out by another name is found."""

import re
from pathlib import Path

import pytest

from assess_registry.audit.checks import permissions
from assess_registry.audit.checks.permissions.rules import KINDS, OTHERS
from assess_registry.audit.checks.permissions.standard import COMPUTING
from assess_registry.audit.values import Finding
from assess_registry.wheel.standard import STANDARD
from tests.support.examining import PERMISSIONS, examined, ids, plugin_with
from tests.support.wheels import DEMO_SOURCE

FIRST = DEMO_SOURCE.count("\n") + 1
"""The line at which added source begins."""


def findings(text: str, **files: str) -> tuple[Finding, ...]:
    return examined(permissions, plugin_with(text, permissions=PERMISSIONS, **files)).findings


@pytest.mark.parametrize(
    ("bad", "good", "kind"),
    [
        ("import _xxsubinterpreters as i\ni.run_string(1, x)", "import itertools as i\ni.count(1)", "dynamic-code"),
        ("import _testcapi as t\nt.run_in_subinterp(x)", "import textwrap as t\nt.dedent(x)", "dynamic-code"),
        ("import uuid\nuuid._get_command_stdout('id')", "import uuid\nuuid.uuid4()", "process-outside-host"),
        ("import _osx_support as o\no._read_output(x)", "import operator as o\no.add(x)", "process-outside-host"),
        (
            "from test.support import script_helper as s\ns.assert_python_ok(x)",
            "from string import capwords as s\ns(x)",
            "process-outside-host",
        ),
        ("import dataclasses\ndataclasses._create_fn(x)", "import dataclasses\ndataclasses.asdict(x)", "dynamic-code"),
        ("import pickle\npickle._loads(x)", "import json\njson.loads(x)", "dynamic-code"),
        (
            "from lib2to3.pgen2.grammar import Grammar\nGrammar().loads(x)",
            "from graphlib import TopologicalSorter\nTopologicalSorter().add(x)",
            "dynamic-code",
        ),
        ("import gettext\ngettext.c2py(x)", "import gettext\ngettext.gettext(x)", "dynamic-code"),
        (
            "import argparse\nargparse.FileType('w')(p)",
            "import argparse\nargparse.ArgumentParser(p)",
            "file-outside-host",
        ),
        ("import tokenize\ntokenize.open(p)", "import tokenize\ntokenize.tokenize(p)", "file-outside-host"),
        (
            "from http.cookiejar import MozillaCookieJar\nMozillaCookieJar().save(p)",
            "from http.cookiejar import CookieJar\nCookieJar().clear()",
            "file-outside-host",
        ),
        (
            "import logging\nlogging.basicConfig(filename=p)",
            "import logging\nlogging.basicConfig(level=p)",
            "file-outside-host",
        ),
        (
            "import logging\nlogging.basicConfig(**p)",
            "import logging\nlogging.basicConfig(level=p)",
            "file-outside-host",
        ),
        (
            "import sqlite3.dbapi2 as s\ns.connect('/a')",
            "import sqlite3.dbapi2 as s\ns.Binary(b'a')",
            "file-outside-host",
        ),
        ("import _posixshmem as p\np.shm_open('a')", "import posixpath as p\np.join('a')", "file-outside-host"),
        *[(f"import os\nos.{each}(x)", "import os\nos.fspath(x)", "file-outside-host") for each in ("pread", "dup2")],
        ("import os\nos.sendfile(x)", "import os\nos.fspath(x)", "file-outside-host"),
        ("import fcntl\nfcntl.ioctl(x)", "import fnmatch\nfnmatch.filter(x)", "process-control"),
        ("import spwd\nspwd.getspall()", "import shlex\nshlex.split(x)", "file-outside-host"),
        ("import pwd\npwd.getpwall()", "import shlex\nshlex.split(x)", "file-outside-host"),
        (
            "from urllib import robotparser as r\nr.RobotFileParser(x)",
            "from urllib import parse as r\nr.quote(x)",
            "undeclared-socket",
        ),
        ("def f(loop):\n    loop.getaddrinfo(x)", "def f(loop):\n    loop.create_task(x)", "undeclared-socket"),
        ("import xml.sax\nxml.sax.parse('/a', x)", "import xml.sax\nxml.sax.parseString('a', x)", "file-outside-host"),
    ],
)
def test_what_reaches_out_by_another_name(bad: str, good: str, kind: str) -> None:
    assert FIRST + bad.count("\n") in [each.line for each in findings(bad) if each.id == kind]
    assert findings(good) == ()


@pytest.mark.parametrize(
    ("private", "public"),
    [
        ("import _abc", "import abc"),
        ("from uuid import _x", "from uuid import UUID"),
        ("import random\nrandom._x()", "import random\nrandom.x()"),
        ("import random as r\nr._x()", "import random as r\nr.x()"),
        ("import random\nr = random\nr._x()", "import random\nr = random\nr.x()"),
        ("import random\ngetattr(random, '_x')", "import random\ngetattr(random, 'x')"),
        ("import xml.dom.minidom as m\nm._x()", "import xml.dom.minidom as m\nm.x()"),
        ("from xml.dom import minidom\nminidom._x()", "from xml.dom import minidom\nminidom.x()"),
        ("import xml.dom\nxml.dom._x()", "import xml.dom\nxml.dom.x()"),
        ("from datetime import datetime\ndatetime._x", "from datetime import datetime\ndatetime.x"),
        ("import importlib as i\ni.import_module('_abc')", "import importlib as i\ni.import_module('abc')"),
        ("import importlib\nimportlib.import_module('_abc')", "import importlib\nimportlib.import_module('abc')"),
        ("__import__('_abc')", "__import__('abc')"),
        ("import sys\nsys.modules['_abc'].x", "import sys\nsys.modules['abc'].x"),
        ("from .h import random\nrandom._x()", "from .h import random\nrandom.x()"),
    ],
)
def test_what_is_private_is_nobodys_to_use(private: str, public: str) -> None:
    found = [each for each in findings(private, h__py="import random") if each.line == FIRST + private.count("\n")]
    assert [(each.id, each.severity) for each in found] == [("private-member", "medium")]
    assert findings(public, h__py="import random") == ()


@pytest.mark.parametrize("name", ["faulthandler", "sysconfig", "readline", "this", "symtable", "sndhdr", "xdrlib"])
def test_a_module_that_is_on_no_list_is_said(name: str) -> None:
    expected = "unlisted-module" if name in OTHERS else "file-outside-host"
    assert ids(findings(f"import {name}")) == [expected]
    assert ids(findings(f"import importlib\nimportlib.import_module('{name}')")) == [expected]
    assert findings(f"from . import {name}\n{name}.x", **{f"{name}__py": "x = 1"}) == ()


@pytest.mark.parametrize(
    ("out", "inside"),
    [
        ("files(p).joinpath('../..')", "files(p).joinpath('a..b/c')"),
        ("files(p).joinpath('a', '../..')", "files(p).joinpath('a', 'b..')"),
        ("(files(p) / '..' / 'x').read_text()", "(files(p) / 'x').read_text()"),
        ("files(p).joinpath('/etc/passwd')", "files(p).joinpath('etc/passwd')"),
        ("files(p).parent.joinpath('x')", "files(p).joinpath('x')"),
        ("UP = '../x'\nfiles(p).joinpath(UP)", "UP = 'x'\nfiles(p).joinpath(UP)"),
        ("import pkgutil\npkgutil.get_data(p, '../..')", "import pkgutil\npkgutil.get_data(p, 'a/b')"),
        (
            "import importlib.resources as r\nr.read_text(p, '../x')",
            "import importlib.resources as r\nr.read_text(p, 'x')",
        ),
    ],
)
def test_a_path_out_of_the_package(out: str, inside: str) -> None:
    start = "from importlib.resources import files\n"
    assert ids(findings(start + out)) == ["file-outside-host"]
    assert findings(start + inside) == ()


@pytest.mark.parametrize(
    "honest",
    [
        "from __future__ import annotations",
        "import typing as t\nclass A(t.NamedTuple):\n    a: int\nA(1)._replace(a=2)._asdict()",
        "import random\nr = random.Random()\nr._x",
        "import argparse\ndef f(a: argparse._SubParsersAction): ...",
        "import numpy as np\nnp.random._generator",
        "from . import _own\n_own.x",
        "import demo_plugin._own as o\no.x",
        "import string\nstring.__doc__",
        "from enum import Enum\nclass E(Enum):\n    A = 1\nE._value2member_map_",
    ],
)
def test_honest_code_is_left_alone(honest: str) -> None:
    assert findings(honest, _own__py="x = 1") == ()


def test_the_list_is_the_documented_one_and_nothing_else() -> None:
    text = (Path(__file__).parents[3] / "docs" / "audit.md").read_text()
    (block,) = re.findall(r"free to use, but .*?\n\n((?:    .*\n)+)", text)
    documented = set(block.split())
    assert documented == COMPUTING
    assert sorted(COMPUTING - STANDARD) == []
    assert sorted(documented & KINDS.keys()) == []

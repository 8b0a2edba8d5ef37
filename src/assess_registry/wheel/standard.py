"""Names of the standard library of every Python that plugins may run on, whichever of them reads this.

What is inspected on one machine is installed on others: a package `compression` hides nothing where Python 3.11 looks
at it, and a module of the library where 3.14 runs it. `sys.stdlib_module_names` knows its own version alone.
"""

import sys

_UNTIL_3_12 = """
    _bootsubprocess _crypt _msi _sha256 _sha512 aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils
    idlelib imghdr imp lib2to3 mailcap msilib nis nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib test uu
    xdrlib
"""
"""In 3.11 or 3.12, and no more in 3.13; and what some systems leave out."""

_SINCE_3_12 = """
    _android_support _colorize _interpchannels _interpqueues _interpreters _ios_support _opcode_metadata _pydatetime
    _pylong _pyrepl _sha2 _suggestions _sysconfig _wmi
"""
"""Not in 3.11, and in 3.12 or 3.13."""

_SINCE_3_14 = """
    _ast_unparse _hmac _py_warnings _remote_debugging _types _zstd annotationlib compression
"""

STANDARD: frozenset[str] = sys.stdlib_module_names | {*_UNTIL_3_12.split(), *_SINCE_3_12.split(), *_SINCE_3_14.split()}
"""Top-level names, private ones included."""

"""What Python code says it will do, read as syntax: never imported, never run, bounded whatever it holds.

    source    a file in pieces that can be parsed
    walk      each piece: names, calls and bindings, written down by `record` as `Chain`s: `os`, `path`, `(`, ...
    facts     what was written down of one file
    collect   all files of a wheel, within one bound
    resolve   what a name in a file can stand for, by `known`: the dotted names a caller cares for
    link      the same across the files of a wheel, until nothing new is found
    reported  the ids of checks that a plugin's results carry

A step of a `Chain` is an attribute, or a mark from `mentions` for what is no attribute: a call, an index, an alias.
"""

from assess_registry.audit.code.collect import MAX_WHEEL_SOURCE_BYTES, WheelCode, read_code
from assess_registry.audit.code.facts import FileCode
from assess_registry.audit.code.link import resolvers
from assess_registry.audit.code.mentions import Argument, Call, Chain, Handed, Mention
from assess_registry.audit.code.reported import Reported, reported
from assess_registry.audit.code.resolve import Resolver

__all__ = [
    "MAX_WHEEL_SOURCE_BYTES",
    "Argument",
    "Call",
    "Chain",
    "FileCode",
    "Handed",
    "Mention",
    "Reported",
    "Resolver",
    "WheelCode",
    "read_code",
    "reported",
    "resolvers",
]

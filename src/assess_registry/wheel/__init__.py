"""A wheel inspected from its bytes: what it is, what it holds, what it asks for; never imported, never a path."""

from assess_registry.wheel.inspect import MAX_WHEEL_BYTES, inspect
from assess_registry.wheel.native import native_kind
from assess_registry.wheel.unpack import unpacked_files
from assess_registry.wheel.values import EntryPoint, InspectedWheel, Kind, UnpackedFile, WheelEntry

__all__ = [
    "MAX_WHEEL_BYTES",
    "EntryPoint",
    "InspectedWheel",
    "Kind",
    "UnpackedFile",
    "WheelEntry",
    "inspect",
    "native_kind",
    "unpacked_files",
]

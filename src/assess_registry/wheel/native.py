"""What is native code: by how it begins, or by what it is called."""

_SUFFIXES = (".so", ".pyd", ".dll", ".dylib", ".a", ".lib", ".o", ".exe")
_MAGIC = (
    *(b"\x7fELF", b"!<arch>\n", b"!<thin>\n"),
    *(b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),  # Mach-O
    *(b"\xca\xfe\xba\xbe", b"\xbe\xba\xfe\xca", b"\xca\xfe\xba\xbf"),  # universal Mach-O, and Java's class files
)
_PE_OFFSET = slice(60, 64)
"""Where a program for Windows says at which byte its `PE` header stands (PE format, MS-DOS stub)."""


def is_native(name: str, data: bytes) -> bool:
    """Whether a loader of machine code would take a file for its own."""
    return data.startswith(_MAGIC) or _is_pe(data) or name.lower().endswith(_SUFFIXES)


def _is_pe(data: bytes) -> bool:
    # The two letters alone may begin any text; Windows, too, goes by what stands where they lead.
    start = int.from_bytes(data[_PE_OFFSET], "little")
    return data.startswith(b"MZ") and data.startswith(b"PE\0\0", start)

"""JSON that is no markup, so that it is harmless even where a server calls it by a wrong name."""

import json


def encode_harmless(value: object) -> bytes:
    """The value as JSON in ASCII, the same for the same value; `<`, `>` and `&` stand in it as escapes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    # Outside of strings JSON has none of them.
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"{text}\n".encode()

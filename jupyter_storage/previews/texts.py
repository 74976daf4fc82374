"""Bytes as text that can be read, and cannot do anything."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

__all__ = ["Decoded", "decode", "dump", "safe"]

_DETECTED = 16 * 2**10  # bytes that an encoding is guessed from
_CONTROLS = 0.1  # of characters; with more of them it is no text
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Controls but tab and the ends of lines; what turns the direction of text or cannot be seen.
_STEERING = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069"
    r"\ufeff\ud800-\udfff]"
)


class Decoded(NamedTuple):
    """Text, and what it was encoded in."""

    text: str
    encoding: str


def decode(data: bytes, *, whole: bool) -> Decoded | None:
    """Decode text; None for what is none.

    Parameters
    ----------
    data : bytes
        The beginning of a file.
    whole : bool
        Whether it is all of it: else its last character may be cut.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding, whole)
    if b"\0" in data:
        return _without_mark(data, whole)
    return _decoded(data, "utf-8", whole) or _guessed(data)


def safe(text: str) -> str:
    """Spell out characters that steer a screen, turn the direction of text, or cannot be seen."""
    return _STEERING.sub(_spelled, text.replace("\r\n", "\n").replace("\r", "\n"))


def dump(data: bytes) -> str:
    """Write bytes as hexadecimal numbers and, beside them, as characters."""
    lines = []
    for start in range(0, len(data), 16):
        line = data[start : start + 16]
        numbers = " ".join(f"{byte:02x}" for byte in line)
        characters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
        lines.append(f"{start:08x}  {numbers:<47}  {characters}")
    return "\n".join(lines)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def _decoded(data: bytes, encoding: str, whole: bool) -> Decoded | None:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, whole)
    except UnicodeDecodeError:
        return None
    return Decoded(text, encoding) if _is_text(text) else None


def _without_mark(data: bytes, whole: bool) -> Decoded | None:
    """UTF-16 without a mark has a zero in nearly every other byte of Western text."""
    for encoding, zeros in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
        if zeros.count(0) > 0.8 * len(zeros):
            decoded = _decoded(data, encoding, whole)
            # Numbers of two bytes have such zeros too.
            return decoded if decoded and _is_western(decoded.text) else None
    return None


def _is_western(text: str) -> bool:
    return sum("\t" <= c <= "~" for c in text) >= 0.8 * len(text)


def _guessed(data: bytes) -> Decoded | None:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_DETECTED]).best()
    if best is None:
        return None
    text = data.decode(best.encoding, errors="replace")
    return Decoded(text, best.encoding.replace("_", "-")) if _is_text(text) else None


def _is_text(text: str) -> bool:
    return sum(c < " " and c not in "\t\n\r\f\b\x1b" for c in text) <= _CONTROLS * len(text)

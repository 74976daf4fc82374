"""File names as restic's trees spell them: the body of Go's ``strconv.Quote``."""

from __future__ import annotations

import re

__all__ = ["quote", "raw", "unquote"]

_SHORT = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}
_LONG = {short[1]: character.encode() for character, short in _SHORT.items()} | {"'": b"'"}
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([abfnrtv\\\"']))"
    r"|([^\\]+)|(\\)"
)


def raw(name: str) -> bytes:
    """Bytes of a name, as the file system has them."""
    return name.encode("utf-8", "surrogateescape")


def quote(name: str) -> str:
    r"""Quote a name.

    Parameters
    ----------
    name : str
        As :func:`os.fsdecode` gives it: bytes that are not UTF-8 are lone surrogates.

    Returns
    -------
    str
        Text without control characters; a byte that is not UTF-8 is ``\xNN``.
    """
    # Python's idea of printable is Go's: letters, marks, numbers, punctuation, symbols, space.
    if name.isprintable() and '"' not in name and "\\" not in name:
        return name
    return "".join(map(_quoted, name))


def _quoted(character: str) -> str:
    code = ord(character)
    if short := _SHORT.get(character):
        return short
    if character.isprintable():
        return character
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquote(text: str) -> str:
    """Undo :func:`quote`.

    Raises
    ------
    ValueError
        If it was not quoted.
    """
    if "\\" not in text:
        return text
    out = bytearray()
    for match in _ESCAPE.finditer(text):
        byte, small, large, octal, short, plain, bad = match.groups()
        if bad:
            raise ValueError(f"no quoted name: {text!r}")
        if plain:
            out += plain.encode("utf-8", "surrogatepass")
        elif short:
            out += _LONG[short]
        elif byte or octal:
            out.append((int(byte, 16) if byte else int(octal, 8)) & 0xFF)
        else:
            out += chr(int(small or large, 16)).encode("utf-8", "surrogatepass")
    return out.decode("utf-8", "surrogateescape")

"""The text of a file whose encoding nobody told."""

import codecs

from application.people_rows import NotAPeopleFile

ENCODINGS = ("utf-8", "utf-16", "windows-1250", "windows-1251", "windows-1252", "iso-8859-15")
"""What may be said of a file; what can be recognised is the first two and Windows-1252."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "utf-16"),
)
_PACKED = (
    (b"\x1f\x8b", "compressed with gzip: unpack it first."),
    (b"PK\x03\x04", "a ZIP archive or a workbook: save the sheet as CSV."),
    (b"\xd0\xcf\x11\xe0", "an old workbook: save the sheet as CSV."),
    (b"%PDF-", "a PDF; people are read from CSV and from vCards."),
)
_LOOKED_AT = 1000


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Return the text and the encoding that it has: the one told, or marked, or the first that fits.

    Raises NotAPeopleFile.
    """
    for mark, told in _PACKED:
        if data.startswith(mark):
            raise NotAPeopleFile(f"The file is {told}")
    for mark, marked, codec in _MARKS:
        if data.startswith(mark) and encoding in {None, marked}:
            return _text(data, codec, marked), marked
    if encoding is not None:
        return _text(data, encoding, encoding), encoding
    for codec in ("utf-16-le", "utf-16-be"):
        if _has_zeros_of(codec, data[:_LOOKED_AT]):
            return _text(data, codec, "utf-16"), "utf-16"
    try:
        return _readable(data.decode("utf-8")), "utf-8"
    except UnicodeDecodeError:
        return _text(data, "windows-1252", "UTF-8 nor Windows-1252"), "windows-1252"


def _has_zeros_of(codec: str, data: bytes) -> bool:
    """Tell whether every second byte, but few others, is zero: Latin letters in UTF-16."""
    high, low = (data[1::2], data[::2]) if codec == "utf-16-le" else (data[::2], data[1::2])
    return high.count(0) > len(high) // 2 and low.count(0) == 0


def _text(data: bytes, codec: str, called: str) -> str:
    try:
        return _readable(data.decode(codec))
    except UnicodeDecodeError as error:
        word = "neither" if " nor " in called else "not"
        raise NotAPeopleFile(
            f"The file is {word} {called} (byte {error.start}); save it as UTF-8, or say its encoding."
        ) from None


def _readable(text: str) -> str:
    if "\0" in text:
        raise NotAPeopleFile("The file is not text: it holds zero bytes.")
    return text

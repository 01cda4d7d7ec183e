"""A file of people, CSV or vCard, in whatever way their programs write it."""

from application.file_text import decode
from application.people_csv import read_csv
from application.people_rows import NotAPeopleFile, PeopleFile, ReadOptions
from application.people_vcard import is_vcard, read_vcards

AS_RECOGNISED = ReadOptions()
_OTHERS = {"{": "JSON", "[": "JSON", "<": "XML or HTML"}
"""What begins so is not CSV: cards are written as JSON and XML too, and some programs call a page a spreadsheet."""


def read_people(data: bytes, options: ReadOptions = AS_RECOGNISED) -> PeopleFile:
    """Recognise what the file is, and look through it once. Raises NotAPeopleFile."""
    text, encoding = decode(data, options.encoding)
    other = _OTHERS.get(text.lstrip()[:1])
    if other is not None:
        raise NotAPeopleFile(f"The file is {other}; people are read from CSV and from vCards.")
    read = read_vcards if is_vcard(text) else read_csv
    return read(text, encoding, options)

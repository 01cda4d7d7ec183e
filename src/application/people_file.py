"""A file of people, CSV or vCard, in whatever way their programs write it."""

from application.file_text import decode
from application.people_csv import read_csv
from application.people_rows import PeopleFile, ReadOptions
from application.people_vcard import is_vcard, read_vcards

AS_RECOGNISED = ReadOptions()


def read_people(data: bytes, options: ReadOptions = AS_RECOGNISED) -> PeopleFile:
    """Recognise what the file is, and look through it once. Raises NotAPeopleFile."""
    text, encoding = decode(data, options.encoding)
    read = read_vcards if is_vcard(text) else read_csv
    return read(text, encoding, options)

"""The names of fields on the wire."""

from collections.abc import Mapping

WIRE_NAMES: Mapping[str, str] = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "timezone": "timezone",
    "birthday": "birthdayDate",
    "anniversary": "anniversaryDate",
    "leap_day_rule": "leapDayRule",
}
"""What a person tells, by the names of ``domain.user.Particulars``."""

ATTRIBUTES: Mapping[str, str] = {wire: name for name, wire in WIRE_NAMES.items()}
NEEDED = ("firstName", "lastName", "email", "timezone")
NULLABLE = ("birthdayDate", "anniversaryDate", "leapDayRule")


def wire_name(attribute: str) -> str:
    return WIRE_NAMES.get(attribute, attribute)

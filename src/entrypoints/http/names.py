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
    "opted_out": "optedOut",
}
"""What a person tells, by the names of ``domain.telling``."""

ATTRIBUTES: Mapping[str, str] = {wire: name for name, wire in WIRE_NAMES.items()}
NEEDED = ("firstName", "lastName", "email", "timezone")
NULLABLE = ("birthdayDate", "anniversaryDate", "leapDayRule", "optedOut")


def wire_name(attribute: str) -> str:
    return WIRE_NAMES.get(attribute, attribute)

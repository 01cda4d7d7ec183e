"""What a place on the world strip is called: the names that most people know of its zones."""

from collections.abc import Sequence

from application.overview import Place

_SHOWN = 2
_WELL_KNOWN = {
    name: rank
    for rank, name in enumerate(
        [
            "Europe/London",
            "Europe/Paris",
            "Europe/Berlin",
            "America/New_York",
            "America/Los_Angeles",
            "America/Chicago",
            "Asia/Tokyo",
            "Asia/Shanghai",
            "Asia/Kolkata",
            "Australia/Sydney",
            "America/Sao_Paulo",
            "Africa/Cairo",
            "Africa/Lagos",
            "Asia/Dubai",
            "Europe/Moscow",
            "Europe/Istanbul",
            "Africa/Johannesburg",
            "Africa/Nairobi",
            "Asia/Singapore",
            "Asia/Jakarta",
            "America/Denver",
            "America/Phoenix",
            "America/Mexico_City",
            "America/Bogota",
            "America/Halifax",
            "America/Caracas",
            "America/St_Johns",
            "America/Anchorage",
            "Pacific/Honolulu",
            "Pacific/Pago_Pago",
            "Pacific/Auckland",
            "Pacific/Fiji",
            "Pacific/Chatham",
            "Pacific/Kiritimati",
            "Pacific/Marquesas",
            "Pacific/Noumea",
            "Atlantic/Azores",
            "Atlantic/South_Georgia",
            "Asia/Tehran",
            "Asia/Kabul",
            "Asia/Karachi",
            "Asia/Kathmandu",
            "Asia/Dhaka",
            "Asia/Yangon",
            "Australia/Adelaide",
            "Australia/Brisbane",
            "Australia/Darwin",
            "Australia/Eucla",
            "Australia/Lord_Howe",
            "Africa/Casablanca",
            "Europe/Athens",
        ]
    )
}


def labelled(place: Place) -> str:
    """Return the names of a few cities: first where somebody is greeted, then the best known."""
    names = sorted(
        place.morning.zones,
        key=lambda name: (
            -place.people.get(name, 0),
            _WELL_KNOWN.get(name, len(_WELL_KNOWN)),
            name.count("/") != 1,
        ),
    )
    return _joined([name.rpartition("/")[2].replace("_", " ") for name in names[:_SHOWN]], len(names))


def _joined(names: Sequence[str], number: int) -> str:
    more = number - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")

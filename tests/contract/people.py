"""People and messages to test with, by hand and at random."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st

from application.deliveries import Delivery
from domain.due import WallTime, zone
from domain.message import Message, MessageKey, Reason, Status
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.user import User, UserId
from tests.contract.adapters import START, Adapters

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BERLIN = "Europe/Berlin"
ZONES = (
    BERLIN,
    "America/New_York",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Australia/Lord_Howe",
    "UTC",
)
PI_DAY = date(2027, 3, 14)
NINE_IN_BERLIN = datetime(2027, 3, 14, 8, tzinfo=UTC)


def user_number(number: int) -> UserId:
    return UserId(UUID(int=number))


def person(first_name: str = "Ada", **values: Any) -> User:
    """Return somebody in Berlin who is known since long ago and has an address of their own."""
    user_id = values.setdefault("id", UserId(uuid4()))
    return User(
        **{
            "first_name": first_name,
            "last_name": "Lovelace",
            "email": f"{user_id.hex}@example.com",
            "timezone": BERLIN,
            "created_at": LONG_AGO,
            "updated_at": LONG_AGO,
            "birthday_known_at": LONG_AGO,
            "anniversary_known_at": LONG_AGO,
            **values,
        }
    )


def born_on_pi_day(first_name: str = "Ada", **values: Any) -> User:
    """Return somebody in Berlin whose next birthday is the day after START."""
    return person(first_name, **{"birthday": AnnualDate(3, 14, 1990), **values})


def message(user: User, on: date = PI_DAY, kind: Kind = Kind.BIRTHDAY, **values: Any) -> Message:
    """Return a message for *user*, due at nine in the morning where they are."""
    due_at = datetime(on.year, on.month, on.day, 9, tzinfo=zone(user.timezone)).astimezone(UTC)
    return Message(
        **{
            "key": MessageKey(on, kind, user.id),
            "due_at": due_at,
            "expires_at": due_at + timedelta(hours=24),
            "timezone": user.timezone,
            "wall_time": WallTime.EXACT,
            "years": 37,
            "created_at": START,
            "updated_at": START,
            **values,
        }
    )


def overdue(user: User, hours: int, **values: Any) -> Message:
    """Return a message that was due so many hours before START, with a window of a day."""
    due_at = START - timedelta(hours=hours)
    return message(user, **{"due_at": due_at, "expires_at": due_at + timedelta(hours=24), **values})


async def on_their_way(adapters: Adapters, number: int = 1, **values: Any) -> list[Delivery]:
    """Let so many people come, have a message each that is due, and claim it."""
    people = [born_on_pi_day(f"P{count}") for count in range(number)]
    await adapters.add(*people)
    await adapters.keep(*(message(user, due_at=START, **values) for user in people))
    deliveries = list(await adapters.claim())
    assert len(deliveries) == number
    adapters.told.forget()
    return deliveries


def _around(day: date) -> st.SearchStrategy[date]:
    return st.integers(-3, 4).map(lambda days: day + timedelta(days))


@st.composite
def people_around(draw: st.DrawFn, now: datetime) -> User:
    """Draw somebody whose occasions are near *now*, or the 29 February, and who may have come just now."""
    leap_day = AnnualDate(2, 29, draw(st.sampled_from((None, 1904, 2000, 2024))))
    near = draw(_around(now.date()))
    year = draw(st.sampled_from((None, 1904, near.year - 1, near.year, near.year + 1)))
    birthdays = [None, leap_day]
    if (near.month, near.day) != (2, 29) or year in {None, 1904}:
        birthdays.append(AnnualDate(near.month, near.day, year))
    hired = draw(_around(now.date()))
    anniversaries = [None, date(2024, 2, 29), date(2000, 2, 29)]
    anniversaries += [
        date(year, hired.month, hired.day)
        for year in (2020, now.year - 1, now.year)
        if (hired.month, hired.day) != (2, 29) or year % 4 == 0
    ]
    known_at = st.one_of(
        st.just(LONG_AGO), st.integers(-60, 30).map(lambda hours: now + timedelta(hours=hours))
    )
    return person(
        timezone=draw(st.sampled_from(ZONES)),
        birthday=draw(st.sampled_from(birthdays)),
        anniversary=draw(st.sampled_from(anniversaries)),
        opted_out=draw(
            st.sampled_from((frozenset(), frozenset(), frozenset({Kind.BIRTHDAY}), frozenset(Kind)))
        ),
        leap_day_rule=draw(st.sampled_from((None, *LeapDayRule))),
        birthday_known_at=draw(known_at),
        anniversary_known_at=draw(known_at),
        deleted_at=draw(st.sampled_from((None, None, None, LONG_AGO))),
    )


def _instants_of(first: date, last: date) -> st.SearchStrategy[datetime]:
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    seconds = st.integers(0, (last - first) // timedelta(seconds=1))
    return seconds.map(lambda passed_s: midnight + timedelta(seconds=passed_s))


INSTANTS = st.one_of(
    _instants_of(date(2027, 1, 1), date(2028, 12, 31)),
    _instants_of(date(2027, 2, 24), date(2027, 3, 5)),
    _instants_of(date(2028, 2, 24), date(2028, 3, 5)),
)
"""Any instant of a common and a leap year, those around the end of February more often."""


@st.composite
def pasts_of(draw: st.DrawFn, user: User, now: datetime) -> list[Message]:
    """Draw what may stand in the ledger for *user* already, none of it open or waiting to come back."""
    return [
        message(
            user,
            now.date() + timedelta(days),
            kind,
            status=status,
            reason=Reason.OPERATOR if status is Status.CANCELLED else None,
            sent_at=now if status is Status.SENT else None,
        )
        for days, kind, status in draw(
            st.lists(
                st.tuples(
                    st.sampled_from((-366, -301, -300, -299, -5, -1, 0, 1, 2)),
                    st.sampled_from(Kind),
                    st.sampled_from(
                        (Status.SENT, Status.UNKNOWN, Status.FAILED, Status.CANCELLED, Status.SENDING)
                    ),
                ),
                max_size=2,
                unique_by=lambda one: one[:2],
            )
        )
    ]

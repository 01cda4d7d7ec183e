"""People to test with: one who is well known, and any number of others."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import attrs
from hypothesis import strategies as st

from domain.due import SendPolicy, WallTime, zone_names
from domain.message import Message, MessageKey, Reason, Status
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.user import Particulars, User, UserId, register

ADA_ID = UserId(UUID(int=1))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
POLICY = SendPolicy()

LEAP_DAY = AnnualDate(2, 29, 1992)
PI_DAY = AnnualDate(3, 14, 1990)

PLACES = st.one_of(
    st.sampled_from(["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin", "America/New_York"]),
    st.sampled_from(sorted(zone_names())),
)
RULES = st.sampled_from(LeapDayRule)

dates_near_leap_day = st.tuples(st.integers(1990, 2030), st.integers(-2, 3)).map(
    lambda chosen: date(chosen[0], 2, 28) + timedelta(days=chosen[1])
)
annual_dates = st.one_of(
    st.just(LEAP_DAY),
    st.just(AnnualDate(2, 29)),
    dates_near_leap_day.map(AnnualDate.of),
    st.dates(date(1900, 1, 1), date(2030, 12, 31)).map(AnnualDate.of),
    st.dates(date(2000, 1, 1), date(2000, 12, 31)).map(lambda day: AnnualDate(day.month, day.day)),
)


def utc(text: str) -> datetime:
    """Return the instant written as ``2027-03-14T09:00``, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def instants(first: str, last: str) -> st.SearchStrategy[datetime]:
    """Draw from the instants between two, in UTC."""
    begins, ends = utc(first), utc(last)
    return st.timedeltas(timedelta(0), ends - begins).map(lambda passed: begins + passed)


def ada(
    *,
    timezone: str = "Asia/Jakarta",
    birthday: AnnualDate | None = PI_DAY,
    anniversary: date | None = None,
    leap_day_rule: LeapDayRule | None = None,
    known_at: datetime = LONG_AGO,
) -> User:
    """Return Ada, who lives in Jakarta and was born on 14 March 1990 unless told otherwise."""
    told = Particulars(
        first_name="Ada",
        last_name="Lovelace",
        email="ada@example.com",
        timezone=timezone,
        birthday=birthday,
        anniversary=anniversary,
        leap_day_rule=leap_day_rule,
    )
    return register(ADA_ID, told, known_at)


def message(
    on: date = date(2027, 3, 14),
    status: Status = Status.SCHEDULED,
    *,
    kind: Kind = Kind.BIRTHDAY,
    reason: Reason | None = None,
) -> Message:
    """Return a message to Ada, due at nine in Jakarta."""
    due_at = datetime(on.year, on.month, on.day, 2, tzinfo=UTC)
    return Message(
        key=MessageKey(on, kind, ADA_ID),
        status=status,
        reason=reason,
        due_at=due_at,
        expires_at=due_at + timedelta(hours=24),
        timezone="Asia/Jakarta",
        wall_time=WallTime.EXACT,
        years=on.year - 1990,
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )


@st.composite
def anybody(draw: st.DrawFn, number: int | None = None) -> User:
    """Draw a person who has been known for long."""
    told = Particulars(
        first_name="Somebody",
        last_name="Else",
        email="somebody@example.com",
        timezone=draw(PLACES),
        birthday=draw(st.none() | annual_dates),
        anniversary=draw(st.none() | dates_near_leap_day | st.dates(date(1950, 1, 1), date(2030, 1, 1))),
        leap_day_rule=draw(st.none() | RULES),
    )
    user_id = UserId(UUID(int=draw(st.integers(1, 2**64)) if number is None else number))
    user = register(user_id, attrs.evolve(told, birthday=None), LONG_AGO)
    return attrs.evolve(user, birthday=told.birthday)

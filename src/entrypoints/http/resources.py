"""What the API answers with: JSON in camelCase, instants in UTC with a trailing Z."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from application.access import NewKey
from application.operator_ports import PausedChannel
from application.statistics import Statistics
from application.upcoming_of_user import Upcoming, UpcomingMessage
from application.views import MessageView, UserView
from domain.access import ApiKey, KeyKind, Scope
from domain.due import WallTime, zone
from domain.message import Reason, Status
from domain.occasion import Kind, LeapDayRule


class Resource(msgspec.Struct, rename="camel", frozen=True):
    """Anything that is answered."""


class UserResource(Resource, frozen=True, kw_only=True):
    """A person. A birthday without its year is ``--02-28``."""

    id: UUID
    first_name: str
    last_name: str
    email: str
    timezone: str
    birthday_date: str | None
    anniversary_date: str | None
    leap_day_rule: str | None
    opted_out: Sequence[Kind]
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: UserView) -> "UserResource":
        return cls(
            id=view.id,
            first_name=view.first_name,
            last_name=view.last_name,
            email=view.email,
            timezone=view.timezone,
            birthday_date=view.birthday,
            anniversary_date=view.anniversary,
            leap_day_rule=view.leap_day_rule,
            opted_out=[Kind(kind) for kind in view.opted_out],
            version=view.version,
            created_at=view.created_at,
            updated_at=view.updated_at,
        )


class MessageResource(Resource, frozen=True, kw_only=True):
    """A message of the ledger."""

    key: str
    user_id: UUID
    kind: Kind
    occasion_date: str
    status: Status
    reason: Reason | None
    due_at: datetime
    expires_at: datetime
    timezone: str
    wall_time: WallTime
    years: int | None
    attempt: int
    retry_at: datetime | None
    sent_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: MessageView) -> "MessageResource":
        return cls(**{name: getattr(view, name) for name in cls.__struct_fields__})


class UpcomingResource(Resource, frozen=True, kw_only=True):
    """A message that a person is to get; *dueLocal* is the wall time there, *why* one plain sentence."""

    key: str
    kind: Kind
    occasion_date: str
    years: int | None
    due_at: datetime
    due_local: str
    timezone: str
    wall_time: WallTime
    leap_day_rule: LeapDayRule | None
    why: str
    status: Status | None

    @classmethod
    def of(cls, one: UpcomingMessage) -> "UpcomingResource":
        return cls(
            key=str(one.key),
            kind=one.key.kind,
            occasion_date=one.key.occasion_on.isoformat(),
            years=one.years,
            due_at=one.due_at.astimezone(UTC),
            due_local=one.due_at.astimezone(zone(one.timezone)).isoformat(),
            timezone=one.timezone,
            wall_time=one.wall_time,
            leap_day_rule=one.leap_day_rule,
            why=one.why,
            status=None if one.status is None else Status(one.status),
        )


class UpcomingOfUserResource(Resource, frozen=True):
    """A person's next messages, and what became of the last ones, newest first."""

    upcoming: Sequence[UpcomingResource]
    past: Sequence[MessageResource]

    @classmethod
    def of(cls, found: Upcoming) -> "UpcomingOfUserResource":
        return cls(
            [UpcomingResource.of(one) for one in found.upcoming],
            [MessageResource.of(one) for one in found.past],
        )


class UserPage(Resource, frozen=True):
    """A page of people; *next* is the cursor of the one after it, null at the end."""

    items: Sequence[UserResource]
    next: str | None


class MessagePage(Resource, frozen=True):
    """A page of the ledger; *next* is the cursor of the one after it, null at the end."""

    items: Sequence[MessageResource]
    next: str | None


class TodaysListResource(Resource, frozen=True, kw_only=True):
    """The ids of the people who have a message due on this day, in UTC."""

    date: str
    count: int
    user_ids: Sequence[UUID]


class BrakedResource(Resource, frozen=True):
    """Why the brake has stopped a channel: in an hour more messages are due than is usual."""

    due_hour: datetime
    messages: int
    allowed: int


class StoppedChannelResource(Resource, frozen=True):
    """A channel that takes nothing, for so long or until somebody has confirmed what the brake found."""

    name: str
    pause_s: float
    brake: BrakedResource | None

    @classmethod
    def of(cls, one: PausedChannel) -> "StoppedChannelResource":
        braked = one.braked
        told = None if braked is None else BrakedResource(braked.hour, braked.messages, braked.allowed)
        return cls(one.name, one.pause.total_seconds(), told)


class SchedulerResource(Resource, frozen=True, kw_only=True):
    """Counts per status, and what the scheduler of this process last did, by the service's clock."""

    now: datetime
    counts: Mapping[str, int]
    started_at: datetime | None
    last_plan_at: datetime | None
    planned_until: str | None
    last_tick_at: datetime | None
    next_due_at: datetime | None
    failures_in_a_row: int
    stopped_channels: Sequence[StoppedChannelResource]

    @classmethod
    def of(cls, found: Statistics, now: datetime, stopped: Sequence[PausedChannel]) -> "SchedulerResource":
        state = found.state
        return cls(
            now=now,
            counts={status.value: count for status, count in found.counts.items()},
            started_at=state.started_at,
            last_plan_at=state.last_plan_at,
            planned_until=None if state.planned_until is None else state.planned_until.isoformat(),
            last_tick_at=state.last_tick_at,
            next_due_at=state.next_due_at,
            failures_in_a_row=state.failures_in_a_row,
            stopped_channels=[StoppedChannelResource.of(one) for one in stopped],
        )


class KeyResource(Resource, frozen=True, kw_only=True):
    """A key, or the session of a browser."""

    id: str
    kind: KeyKind
    name: str
    scopes: Sequence[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> "KeyResource":
        told = {name: getattr(key, name) for name in cls.__struct_fields__}
        return cls(**told | {"scopes": sorted(key.scopes)})


class KeysResource(Resource, frozen=True):
    """All keys."""

    items: Sequence[KeyResource]


class NewKeyResource(Resource, frozen=True):
    """A key, and its text, which is told this once."""

    key: KeyResource
    text: str

    @classmethod
    def of(cls, made: NewKey) -> "NewKeyResource":
        return cls(KeyResource.of(made.key), made.text)


class FeedResource(Resource, frozen=True, kw_only=True):
    """A feed: a calendar at a secret address."""

    id: str
    name: str
    tells_years: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, feed: ApiKey) -> "FeedResource":
        return cls(**{name: getattr(feed, name) for name in cls.__struct_fields__})


class FeedsResource(Resource, frozen=True):
    """All feeds."""

    items: Sequence[FeedResource]


class NewFeedResource(Resource, frozen=True):
    """A feed, and where its calendar is, which is told this once."""

    feed: FeedResource
    path: str

    @classmethod
    def of(cls, made: NewKey) -> "NewFeedResource":
        return cls(FeedResource.of(made.key), f"/calendar/{made.text}.ics")


class HealthResource(Resource, frozen=True, omit_defaults=True):
    """It is well; what is not well is a problem."""

    status: str
    database: str | None = None
    cache: str | None = None
    scheduler: str | None = None

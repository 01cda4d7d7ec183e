"""The tables as SQLAlchemy Core knows them; the migrations are what makes them."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

LIVE_EMAIL = "uq_users_live_email"
"""The index by which an address belongs to one live user."""
LIVE_EXTERNAL_ID = "uq_users_live_external_id"
"""The same for an id of another system."""

_instant = DateTime(timezone=True)

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("first_name", Text, nullable=False),
    Column("last_name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, Computed("lower(email)", persisted=True), nullable=False),
    Column("timezone", Text, nullable=False),
    Column("birthday_year", SmallInteger),
    Column("birthday_month", SmallInteger),
    Column("birthday_day", SmallInteger),
    Column("anniversary_on", Date),
    Column("anniversary_month", SmallInteger, Computed("extract(month from anniversary_on)", persisted=True)),
    Column("anniversary_day", SmallInteger, Computed("extract(day from anniversary_on)", persisted=True)),
    Column("leap_day_rule", Text),
    Column("external_id", Text),
    Column("no_birthdays", Boolean, nullable=False),
    Column("no_anniversaries", Boolean, nullable=False),
    Column("link_nonce", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", _instant, nullable=False),
    Column("updated_at", _instant, nullable=False),
    Column("birthday_known_at", _instant, nullable=False),
    Column("anniversary_known_at", _instant, nullable=False),
    Column("deleted_at", _instant),
)

messages = Table(
    "messages",
    metadata,
    Column("occasion_on", Date, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column(
        "ended",
        Text,
        Computed(
            "CASE WHEN status NOT IN ('SCHEDULED', 'SENDING', 'RETRYING') THEN status END", persisted=True
        ),
    ),
    Column("reason", Text),
    Column("due_at", _instant, nullable=False),
    Column("expires_at", _instant, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("wall_time", Text, nullable=False),
    Column("years", SmallInteger),
    Column("attempt", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("lease_until", _instant),
    Column("retry_at", _instant),
    Column("may_have_arrived", Boolean, nullable=False),
    Column("sent_at", _instant),
    Column("created_at", _instant, nullable=False),
    Column("updated_at", _instant, nullable=False),
    postgresql_partition_by="RANGE (occasion_on)",
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("tells_years", Boolean, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("previous_digest", LargeBinary),
    Column("previous_until", _instant),
    Column("created_at", _instant, nullable=False),
    Column("expires_at", _instant),
    Column("revoked_at", _instant),
    Column("last_used_at", _instant),
)

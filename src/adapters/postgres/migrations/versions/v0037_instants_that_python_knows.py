"""No instant or date is beyond what Python can tell: one such row, written by hand, would stop the batch it is in."""

from alembic import op

revision = "0037"
down_revision = "0035"
branch_labels = None
depends_on = None

# A day from either end, so that a zone's offset has room. An endless pause of a channel is no mistake: it is read
# as a long one.
_INSTANTS = ("timestamptz '0001-01-03 00:00+00'", "timestamptz '9999-12-29 00:00+00'")
_DATES = ("date '0001-01-01'", "date '9999-12-31'")
_CHECKS = (
    (
        "users",
        "instants",
        ("created_at", "updated_at", "birthday_known_at", "anniversary_known_at", "deleted_at"),
    ),
    ("users", "dates", ("anniversary_on",)),
    (
        "messages",
        "instants",
        ("due_at", "expires_at", "lease_until", "retry_at", "sent_at", "created_at", "updated_at"),
    ),
    ("channels", "instants", ("counted_at", "braked_at", "braked_hour")),
    ("due_hours", "instants", ("due_hour",)),
    ("bookmark", "dates", ("planned_until",)),
    ("service_clock", "instants", ("started_at", "origin_at")),
    ("processes", "instants", ("started_at", "seen_at")),
    ("api_keys", "instants", ("created_at", "expires_at", "previous_until", "revoked_at", "last_used_at")),
    ("imports", "instants", ("began_at",)),
    ("audit", "instants", ("at",)),
)


def upgrade() -> None:
    for table, kind, columns in _CHECKS:
        first, last = _INSTANTS if kind == "instants" else _DATES
        named = ", ".join(columns)
        # Not asked of what stands there already: that would read the whole ledger under a lock.
        op.execute(f"""
            ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{kind}_are_near
            CHECK (least({named}) >= {first} AND greatest({named}) <= {last}) NOT VALID
        """)


def downgrade() -> None:
    for table, kind, _ in _CHECKS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{kind}_are_near")

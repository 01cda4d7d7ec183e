"""A change by hand gets a version of its own, or whoever has the ETag of the record would never hear of it."""

from alembic import op

revision = "0031"
down_revision = "0015"
branch_labels = None
depends_on = None

_UP = (
    # The key of the address is written after this has run: it says nothing yet.
    """
    CREATE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.email_key := OLD.email_key;
        IF NEW IS DISTINCT FROM OLD THEN
            NEW.version := OLD.version + 1;
        END IF;
        RETURN NEW;
    END $$
    """,
    # The service counts by itself, and is not asked.
    """
    CREATE TRIGGER count_version BEFORE UPDATE ON users FOR EACH ROW
    WHEN (NEW.version <= OLD.version) EXECUTE FUNCTION count_version()
    """,
    # In a session that plays a replica as well.
    "ALTER TABLE users ENABLE ALWAYS TRIGGER count_version",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER count_version ON users")
    op.execute("DROP FUNCTION count_version")

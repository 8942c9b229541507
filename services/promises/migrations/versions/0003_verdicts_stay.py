"""What was told stays as it was told: the outbox, which is the history of verdicts, is rewritten only where somebody is being erased."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the trigger; its search path keeps a session from putting a table of its own in the place of `erasures`."""
    op.execute(
        "CREATE FUNCTION promises.keep_what_was_told() RETURNS trigger LANGUAGE plpgsql SET search_path = promises, pg_temp AS $$ BEGIN "
        "IF NOT EXISTS (SELECT FROM erasures WHERE partition = NEW.partition AND work IS NOT NULL) THEN "
        "RAISE insufficient_privilege USING MESSAGE = 'nobody of partition ' || NEW.partition || ' is being erased'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute("CREATE TRIGGER keep_what_was_told BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION promises.keep_what_was_told()")

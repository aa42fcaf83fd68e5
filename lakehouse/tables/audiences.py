"""Contract of what is written down about the topic of audiences: whom its readers hold to be members."""

from lakehouse.tables.contract import Table, required, write_time
from lakehouse.tables.people import By, by

OPS_AUDIENCE_MEMBERS = Table(
    name="ops.audience_members",
    grain="one row per profile and audience that readers of the topic may hold to be a member",
    people=(by("profile_id", By.ACTOR),),
    key=("profile_id", "audience"),
    owner="streaming/events.py",
    reads=("gold.audiences", "gold.activation"),
    columns=(
        required("profile_id", "string", "profile"),
        required("audience", "string", "name of the audience"),
        required("event_id", "string", "id of the event that said it entered; sent again, it is the same"),
        required("state", "string", "in; entering or leaving where that is being told, and the broker's answer is not known: it is sent again"),
        write_time("told_at", "when it was last written down"),
    ),
)  # fmt: skip

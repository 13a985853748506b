"""What a run should see now and then, so that a proof that never met it doesn't pass for one that did. Pure."""

from collections.abc import Collection, Mapping, Sequence

from bots.count.document import Sighting
from bots.count.tally import Tally
from bots.play.record import BotRecord
from bots.proof.letters import MailCounts

NAMES = (
    "a retry", "a replay", "a resume", "a reconnection", "an unknown fate", "a refusal", "a letter",
    "a letter that came back", "a push", "a reward", "a contested name", "a sign-out", "a ban", "a ban lifted",
    "a deletion",
)  # fmt: skip
PROBED = ("a contested name", "a sign-out", "a ban", "a ban lifted", "a deletion")
"""Those of which only probes see any; bans need an admin key, too."""
BY_OPERATORS = ("a ban", "a ban lifted")


def sightings(
    tally: Tally,
    records: Sequence[BotRecord],
    mail: MailCounts,
    others: Mapping[str, int],
    expected: Collection[str] = (),
) -> list[Sighting]:
    """Count what happened; `others` are counts by name of what only its finder knows."""
    happened = tally.happened
    seen = {
        "a retry": happened["retries"],
        "a replay": sum(record.compared for record in records),
        "a resume": happened["resumed"],
        "a reconnection": happened["reconnects"],
        "an unknown fate": happened["unknown fate"],
        "a refusal": tally.refused.total(),
        "a letter": mail.sent,
        "a letter that came back": mail.returned,
        "a push": happened["pushes"],
        **others,
    }
    return [Sighting(name, seen.get(name, 0), expected=name in expected) for name in NAMES]

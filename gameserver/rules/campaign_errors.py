"""What can go wrong with a letter to many players: a part of the tree in `gameserver.rules.errors`.

Forbidden
└─ SameOperator same_operator
NotFound
└─ CampaignNotFound campaign_not_found
Conflict
└─ SegmentChanged segment_changed, CampaignOver campaign_over
"""

from gameserver.rules.errors import Conflict, Forbidden, NotFound


class SameOperator(Forbidden):
    """Another operator than the one who started it has to agree."""

    code = "same_operator"
    sentence = "Another operator has to agree to this."


class CampaignNotFound(NotFound):
    """There is no campaign of this id."""

    code = "campaign_not_found"
    sentence = "There is no such campaign."


class SegmentChanged(Conflict):
    """Another number of players fits than was expected; `extra` has the `count`."""

    code = "segment_changed"
    sentence = "Another number of players fits than was expected."


class CampaignOver(Conflict):
    """The campaign is done, or revoked, or waited too long for a second operator."""

    code = "campaign_over"
    sentence = "This campaign is over."

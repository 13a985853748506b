"""Letters to many players: the part of the route table under /admin/v1/campaigns."""

from gameserver.rules import campaign_errors, errors
from gameserver.rules.roles import Role
from gameserver.transport import answers, wire
from gameserver.transport.http import campaigns
from gameserver.transport.route import admin

SUPPORT, OPERATOR = Role.SUPPORT, Role.OPERATOR
READS = (errors.DatabaseUnavailable,)
CHANGES = (campaign_errors.CampaignNotFound, campaign_errors.CampaignOver, errors.CommandMismatch,
           errors.OutcomeUnknown, *READS)  # fmt: skip

CAMPAIGN_ROUTES = (
    admin(SUPPORT, "GET", "/admin/v1/campaigns", campaigns.list_campaigns,
           "Letters to many players: those that aren't over, then the newest",
           query=wire.CampaignsQuery, answer=answers.CampaignsAnswer, errors=READS),
    admin(SUPPORT, "GET", "/admin/v1/campaigns/{campaign}", campaigns.read_campaign,
           "A letter to many players, and how far it has come", answer=answers.CampaignAnswer,
           errors=(campaign_errors.CampaignNotFound, *READS)),
    admin(OPERATOR, "POST", "/admin/v1/campaigns", campaigns.start_campaign,
           "Send many players a letter with items, or count them", body=wire.NewCampaign, query=wire.PreviewQuery,
           answer=answers.CampaignStartAnswer, takes_command_id=True,
           errors=(campaign_errors.SegmentChanged, errors.UnknownClass, errors.UnknownItem, errors.CommandMismatch,
           errors.CommandExpired, errors.OutcomeUnknown, errors.Overloaded, *READS)),
    admin(OPERATOR, "POST", "/admin/v1/campaigns/{campaign}/agreement", campaigns.agree_to_campaign,
           "Agree, as a second operator, to a letter that waits for it", body=wire.AgreedCampaign,
           answer=answers.CampaignAnswer, takes_command_id=True,
           errors=(campaign_errors.SameOperator, campaign_errors.SegmentChanged, *CHANGES)),
    admin(OPERATOR, "POST", "/admin/v1/campaigns/{campaign}/revocation", campaigns.revoke_campaign,
           "Stop sending a letter to many players", body=wire.Because, answer=answers.CampaignAnswer,
           takes_command_id=True, errors=CHANGES),
)  # fmt: skip

"""Letters to many players over HTTP; `name` is the name of the admin key."""

from aiohttp import web

from gameserver.commands import campaigns
from gameserver.commands.campaigns import CampaignOrder
from gameserver.commands.player_changes import Gift
from gameserver.commands.results import CampaignRecord, ChangedBy, Segment
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response, large_json_response
from gameserver.transport.keys import COMMANDS


async def list_campaigns(request: web.Request, _: str) -> web.StreamResponse:
    fields, context = inputs.query(request, wire.CampaignsQuery), request.app[COMMANDS].campaigns
    found, cursor = await campaigns.newest(context, fields.limit, fields.cursor)
    shown = ((record, campaigns.waiting(context, record)) for record in found)
    return large_json_response(request, answers.campaigns(shown, cursor))


async def read_campaign(request: web.Request, _: str) -> web.Response:
    return _shown(request, await campaigns.find(request.app[COMMANDS].campaigns, _path_id(request)))


async def start_campaign(request: web.Request, name: str) -> web.Response:
    fields, context = await inputs.body(request, wire.NewCampaign), request.app[COMMANDS].campaigns
    gift = Gift(fields.text, tuple(sorted(fields.items.items())))
    segment = _segment(fields.filter)
    if inputs.query(request, wire.PreviewQuery).preview == "true":
        return json_response(answers.campaign_preview(await campaigns.preview(context, segment, gift)))
    if fields.expected_count is None:
        raise BadInput(errors=[FieldProblem("expected_count", "is needed: a preview says how many players there are")])
    order = CampaignOrder(segment, gift, fields.expected_count, fields.count_may_differ_by)
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    record = await campaigns.start(context, order, by)
    return json_response(answers.campaign_start(record, campaigns.waiting(context, record)))


async def agree_to_campaign(request: web.Request, name: str) -> web.Response:
    fields, campaign_id = await inputs.body(request, wire.AgreedCampaign), _path_id(request)
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    found = await campaigns.agree(request.app[COMMANDS].campaigns, campaign_id, fields.expected_count, by)
    return _shown(request, found)


async def revoke_campaign(request: web.Request, name: str) -> web.Response:
    fields, campaign_id = await inputs.body(request, wire.Because), _path_id(request)
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    return _shown(request, await campaigns.revoke(request.app[COMMANDS].campaigns, campaign_id, by))


def _shown(request: web.Request, record: CampaignRecord) -> web.Response:
    return json_response(answers.campaign(record, campaigns.waiting(request.app[COMMANDS].campaigns, record)))


def _segment(chosen: wire.CampaignFilter) -> Segment:
    return Segment(
        class_name=chosen.class_name,
        min_level=chosen.min_level,
        max_level=chosen.max_level,
        created_since=chosen.created_since,
        created_until=chosen.created_until,
        seen_since=chosen.seen_since,
        seen_until=chosen.seen_until,
        banned=chosen.banned,
    )


def _path_id(request: web.Request) -> str:
    return request.match_info["campaign"].lower()

"""Stored pushes and the list of nodes: what is stored for whom, for how long, and what is lost when Redis evicts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from gameserver.rules.errors import PresenceUnavailable
from gameserver.storage.live import mail_pushes
from gameserver.storage.live.mail_pushes import MailPushes
from gameserver.storage.live.presence import NODES, PLAYERS, Presence
from gameserver.storage.live.pushes import (
    KEPT_NOTICES,
    NOTICE_NUMBER,
    NOTICES,
    SENDER_SHARE,
    STREAM_MS,
    SURE_SECONDS,
    Pushes,
    Seen,
)
from gameserver.waiting import cancel_and_wait
from tests.support.redis_past import go_back, remembered
from tests.support.wait import wait_until


async def test_mail_to_whoever_is_not_connected_and_was_not_of_late_takes_no_room_in_redis(redis: Redis) -> None:
    pushes = Pushes(redis)
    assert await pushes.keep_many("mail", [(number, {"text": "x" * 500}) for number in range(1, 1001)]) == [0] * 1000
    assert await redis.dbsize() == 0
    await pushes.open(7, Seen())
    assert await pushes.keep_many("mail", [(7, {"text": "hello"}), (8, {"text": "hello"})]) == [1, 0]
    opened = await pushes.open(7, Seen())
    assert (opened.seq, await redis.dbsize()) == (1, 2)


async def test_a_stream_lives_for_minutes_after_it_was_read_whatever_is_sent(redis: Redis) -> None:
    pushes = Pushes(redis)
    await pushes.open(7, Seen())
    await redis.pexpire("gs:stream:{7}", 5000)
    await pushes.keep_many("mail", [(7, {})])
    lives = [await redis.pttl(key) for key in ("gs:stream:{7}", "gs:pushes:{7}")]
    assert all(0 < left <= 5000 for left in lives), lives
    await pushes.open(7, Seen())
    assert STREAM_MS - 5000 < await redis.pttl("gs:pushes:{7}") <= STREAM_MS


@pytest.mark.parametrize("seen", [Seen(), Seen("expired", 3)], ids=["a new client", "one that was away for long"])
async def test_a_notice_to_one_player_waits_for_it(redis: Redis, seen: Seen) -> None:
    pushes = Pushes(redis)
    await pushes.add_notice({"text": "to all, before"})
    await pushes.load_notices()
    assert await pushes.keep(7, "notice", {"text": "hello"}) == 1
    assert await redis.pttl("gs:stream:{7}") > STREAM_MS
    opened = await pushes.open(7, seen)
    assert (opened.resumed, opened.before_missed) == (False, 0)
    assert [(push.seq, push.data["text"]) for push in opened.missed] == [(1, "hello")]
    # The answer may have been lost: until a client shows that it got it, whoever comes next gets it, too.
    another = await pushes.open(7, seen)
    assert (another.resumed, another.before_missed, len(another.missed)) == (False, 0, 1)
    assert min([await redis.pttl(f"gs:{kind}:{{7}}") for kind in ("stream", "pushes")]) > STREAM_MS
    # One that knows the stream hasn't shown it yet.
    again = await pushes.open(7, Seen(opened.stream, 0))
    assert (again.resumed, len(again.missed)) == (True, 1)
    assert min(await lives(redis, 7)) > STREAM_MS
    another = await pushes.open(7, seen)
    assert (another.resumed, another.before_missed, len(another.missed)) == (False, 0, 1)
    shown = await pushes.open(7, Seen(opened.stream, 1))
    assert (shown.resumed, shown.missed) == (True, [])
    assert max(await lives(redis, 7)) <= STREAM_MS
    # From then on one that doesn't resume begins from now, as with any stream.
    later = await pushes.open(7, seen)
    assert (later.resumed, later.seq, later.missed) == (False, 1, [])


async def test_a_waiting_notice_stays_for_hello_if_the_stream_is_caught_up_before_that(redis: Redis) -> None:
    pushes = Pushes(redis)
    await pushes.add_notice({"text": "to all, before"})
    await pushes.load_notices()
    await pushes.keep(7, "notice", {"text": "hello"})
    # A socket that has been admitted is caught up while its hello is on its way.
    await pushes.catch_up([(7, Seen())])
    await pushes.catch_up([(7, Seen())])
    opened = await pushes.open(7, Seen())
    assert (opened.resumed, opened.before_missed) == (False, 0)
    assert [(push.seq, push.data["text"]) for push in opened.missed] == [(1, "hello")]
    await age(redis, 7)
    await pushes.catch_up([(7, Seen(opened.stream, 1))])
    assert (await pushes.open(7, Seen())).missed == []


async def test_a_waiting_notice_that_a_node_of_an_older_version_passed_over_is_no_gap_for_its_client(
    redis: Redis,
) -> None:
    pushes = Pushes(redis)
    await pushes.keep(7, "notice", {"text": "hello"})
    opened = await pushes.open(7, Seen())
    await redis.hset("gs:stream:{7}", "unopened", 1)  # which such a node leaves
    again = await pushes.open(7, Seen(opened.stream, 1))
    assert (again.resumed, again.missed) == (True, [])
    assert (await pushes.open(7, Seen())).missed == []


async def lives(redis: Redis, player_id: int) -> list[int]:
    """How long a player's keys stay, in milliseconds."""
    return [await redis.pttl(f"gs:{kind}:{{{player_id}}}") for kind in ("stream", "pushes")]


async def age(redis: Redis, player_id: int, seconds: int = SURE_SECONDS) -> None:
    """Lets so much time pass since what waits was sent to a client; by default an open socket has had it then."""
    await redis.hincrby(f"gs:stream:{{{player_id}}}", "sent_at", -seconds)


@pytest.mark.parametrize("reconnects", [False, True], ids=["to an open socket", "behind a hello"])
@pytest.mark.parametrize("is_new", [False, True], ids=["a connected player", "one that was away for long"])
async def test_a_notice_that_was_only_sent_waits_until_the_socket_has_stayed_open(
    redis: Redis, *, reconnects: bool, is_new: bool
) -> None:
    pushes = Pushes(redis)
    stream = "" if is_new else (await pushes.open(7, Seen())).stream
    await pushes.keep(7, "notice", {"text": "hello"})
    stream = stream or (await pushes.open(7, Seen())).stream

    async def send() -> None:
        seen = Seen(stream, 0)
        opened = await pushes.open(7, seen) if reconnects else (await pushes.catch_up([(7, seen)]))[0]
        assert [push.seq for push in opened.missed] == [1]

    await send()
    # The time is that of the last sending: the one before may have been to a client that had gone.
    await age(redis, 7)
    await send()
    for _ in range(2):
        await pushes.catch_up([(7, Seen(stream, 1))])
        assert min(await lives(redis, 7)) > STREAM_MS
    assert [push.seq for push in (await pushes.open(7, Seen())).missed] == [1]
    await age(redis, 7)
    await pushes.catch_up([(7, Seen(stream, 1))])
    assert max(await lives(redis, 7)) <= STREAM_MS
    assert (await pushes.open(7, Seen())).missed == []


async def test_a_notice_of_an_older_version_that_waits_waits_on_after_a_client_was_told_of_its_stream(
    redis: Redis,
) -> None:
    pushes = Pushes(redis)
    await pushes.keep(7, "notice", {"text": "hello"})
    await redis.hdel("gs:stream:{7}", "waits")  # which such a node doesn't write
    opened = await pushes.open(7, Seen())
    await pushes.open(7, Seen(opened.stream, 0))
    assert [push.seq for push in (await pushes.open(7, Seen())).missed] == [1]


async def test_letters_dont_prolong_for_how_long_a_socket_must_stay_open(redis: Redis) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.keep(7, "notice", {"text": "hello"})
    await pushes.catch_up([(7, Seen(first.stream, 0))])
    for letter in (1, 2):
        await age(redis, 7, SURE_SECONDS // 2)
        await pushes.keep_many("mail", [(7, {})])
        (opened,) = await pushes.catch_up([(7, Seen(first.stream, letter))])
        assert [push.kind for push in opened.missed] == ["mail"]
    assert (await pushes.open(7, Seen())).missed == []


@pytest.mark.parametrize("seen", [Seen(), Seen("expired", 3)], ids=["a new client", "one that was away for long"])
@pytest.mark.parametrize("reconnects", [False, True], ids=["an open socket", "a client that comes back"])
async def test_a_notice_to_one_player_that_left_of_late_waits_until_a_client_shows_it(
    redis: Redis, seen: Seen, *, reconnects: bool
) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.keep_many("mail", [(7, {"n": 1})])
    assert await pushes.keep(7, "notice", {"text": "hello"}) == 2
    await pushes.keep_many("mail", [(7, {"n": 3})])
    assert min(await lives(redis, 7)) > STREAM_MS
    resumed = await pushes.open(7, Seen(first.stream, 1))
    assert (resumed.resumed, [push.seq for push in resumed.missed]) == (True, [2, 3])
    # No client has shown that it got the notice: whoever comes next gets it, too, with what came since.
    for _ in range(2):
        opened = await pushes.open(7, seen)
        assert (opened.resumed, opened.before_missed, opened.mail_skipped) == (False, 1, False)
        assert [(push.seq, push.kind) for push in opened.missed] == [(2, "notice"), (3, "mail")]
        assert min(await lives(redis, 7)) > STREAM_MS
    shown = Seen(first.stream, 2)
    if not reconnects:
        await age(redis, 7)
    await (pushes.open(7, shown) if reconnects else pushes.catch_up([(7, shown)]))
    later = await pushes.open(7, seen)
    assert (later.resumed, later.seq, later.missed) == (False, 3, [])
    assert max(await lives(redis, 7)) <= STREAM_MS


async def test_a_waiting_notice_waits_on_when_only_the_one_before_it_was_shown(redis: Redis) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    for text in ("one", "two"):
        await pushes.keep(7, "notice", {"text": text})
        await pushes.keep_many("mail", [(7, {})])
    await pushes.open(7, Seen(first.stream, 0))
    await age(redis, 7)
    await pushes.catch_up([(7, Seen(first.stream, 1))])
    opened = await pushes.open(7, Seen())
    assert [(push.seq, push.kind) for push in opened.missed] == [(3, "notice"), (4, "mail")]


@pytest.mark.parametrize("is_new", [False, True], ids=["a player that left of late", "one that was away for long"])
async def test_letters_that_were_skipped_behind_a_waiting_notice_are_said_to_be(redis: Redis, *, is_new: bool) -> None:
    pushes = Pushes(redis)
    if not is_new:
        await pushes.open(7, Seen())
    await pushes.keep(7, "notice", {"text": "hello"})
    await pushes.keep_many("mail", [(7, {"sender": "1"}) for _ in range(SENDER_SHARE + 1)])
    opened = await pushes.open(7, Seen())
    assert (opened.before_missed, len(opened.missed), opened.mail_skipped) == (0, SENDER_SHARE + 1, True)


async def test_a_waiting_notice_is_found_after_redis_has_lost_what_came_before_it(redis: Redis) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.keep(7, "notice", {"text": "hello"})
    # An open socket that has had more than is left is sent it under another number.
    (again,) = await pushes.catch_up([(7, Seen(first.stream, 5))])
    assert [push.seq for push in again.missed] == [6]
    opened = await pushes.open(7, Seen())
    assert (opened.stream, [push.seq for push in opened.missed]) == (again.stream, [6])


async def test_who_comes_back_after_its_stream_has_ended_gets_the_notices_to_all_since_that_began(redis: Redis) -> None:
    pushes = Pushes(redis)
    await redis.rpush(NOTICES, b'1 ["notice",{"text":"before"}]')
    await pushes.load_notices()
    first = await pushes.open(7, Seen())
    await pushes.add_notice({"text": "to all"})
    await pushes.load_notices()
    await redis.delete("gs:stream:{7}", "gs:pushes:{7}")
    # The answer may be lost: it is the same again until a client shows that it got it.
    for _ in range(2):
        opened = await pushes.open(7, Seen(first.stream, 0))
        assert (opened.resumed, opened.before_missed) == (False, 0)
        assert [(push.seq, push.data["text"]) for push in opened.missed] == [(1, "to all")]
    resumed = await pushes.open(7, Seen(opened.stream, 1))
    assert (resumed.resumed, resumed.missed) == (True, [])
    assert (await pushes.open(7, Seen(first.stream, 0))).missed == []


@pytest.mark.parametrize("greeted", [False, True], ids=["before its hello", "after one that had no Redis"])
async def test_a_socket_that_is_caught_up_begins_a_stream_only_after_its_hello(redis: Redis, *, greeted: bool) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.add_notice({"text": "to all"})
    await pushes.load_notices()
    await redis.delete("gs:stream:{7}", "gs:pushes:{7}")
    (early,) = await pushes.catch_up([(7, Seen(greeted=greeted))])
    assert (early.stream != "", early.resumed, early.seq, early.missed) == (greeted, False, 0, [])
    assert await pushes.keep_many("mail", [(7, {})]) == [int(greeted)]
    if not greeted:
        # Its stream would have begun after the notices to all that its hello asks for.
        opened = await pushes.open(7, Seen(first.stream, 0))
        assert [push.data["text"] for push in opened.missed] == ["to all"]


async def test_who_comes_back_gets_the_notices_to_all_behind_one_that_waits_for_it_alone(redis: Redis) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await redis.delete("gs:stream:{7}", "gs:pushes:{7}")
    await pushes.add_notice({"text": "to all"})
    await pushes.load_notices()
    await pushes.keep(7, "notice", {"text": "to one"})
    opened = await pushes.open(7, Seen(first.stream, 0))
    assert [push.data["text"] for push in opened.missed] == ["to one", "to all"]


@pytest.mark.parametrize("known", ["", "expired", "ffffffff00000000"])
async def test_a_client_of_which_nothing_is_known_begins_without_the_notices_to_all(redis: Redis, known: str) -> None:
    pushes = Pushes(redis)
    await pushes.add_notice({"text": "to all"})
    await pushes.load_notices()
    opened = await pushes.open(7, Seen(known, 0))
    assert (opened.seq, opened.missed) == (0, [])
    assert (await pushes.open(7, Seen(opened.stream, 0))).missed == []


async def test_ends_of_seasons_are_stored_once_and_push_out_no_notice(redis: Redis) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.add_notice({"text": "hello"})
    numbers = [
        await pushes.add_notice({"board": f"board {board}"}, "season", once=True) for board in range(KEPT_NOTICES + 1)
    ]
    assert await pushes.add_notice({"board": f"board {KEPT_NOTICES}"}, "season", once=True) == numbers[-1]
    await pushes.load_notices()
    (opened,) = await pushes.catch_up([(7, Seen(first.stream, 0))])
    ends = [("season", f"board {board}") for board in range(1, KEPT_NOTICES + 1)]
    assert [(push.kind, *push.data.values()) for push in opened.missed] == [("notice", "hello"), *ends]


async def test_mail_that_redis_cant_take_waits_for_it_and_of_too_much_the_newest(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes = Pushes(redis)
    mail = MailPushes(pushes, Presence(redis, "n1", "127.0.0.1:1", "2026-01-01T00:00:00Z"))
    first = await pushes.open(7, Seen())

    async def fail(*_: object) -> Sequence[int]:
        raise PresenceUnavailable("Redis is away.")

    with monkeypatch.context() as away:
        away.setattr(pushes, "keep_many", fail)
        away.setattr(mail_pushes, "MOST_WAITING", 2)
        for number in range(3):
            await mail.send([(7, {"n": number})])
    await mail.send([])
    assert [push.data["n"] for push in (await pushes.open(7, Seen(first.stream, 0))).missed] == [1, 2]


async def test_mail_that_is_cancelled_on_its_way_to_redis_waits_for_the_next(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes = Pushes(redis)
    mail = MailPushes(pushes, Presence(redis, "n1", "127.0.0.1:1", "2026-01-01T00:00:00Z"))
    first = await pushes.open(7, Seen())
    under_way = asyncio.Event()

    async def hang(*_: object) -> None:
        under_way.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as hanging:
        hanging.setattr(pushes, "keep_many", hang)
        sending = asyncio.create_task(mail.send([(7, {"n": 1})]))
        await under_way.wait()
        await cancel_and_wait([sending])
    assert sending.cancelled()
    await mail.send([(7, {"n": 2})])
    assert [push.data["n"] for push in (await pushes.open(7, Seen(first.stream, 0))).missed] == [1, 2]


async def test_a_stream_that_was_evicted_without_its_tail_begins_anew_with_nothing_of_the_old_one(redis: Redis) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.keep_many("mail", [(7, {"n": number}) for number in range(5)])
    await redis.delete("gs:stream:{7}")
    (opened,) = await pushes.catch_up([(7, Seen(first.stream, 3))])
    assert (opened.resumed, opened.seq, opened.missed) == (False, 0, [])
    await pushes.keep_many("mail", [(7, {"n": 6})])
    again = await pushes.open(7, Seen(opened.stream, 0))
    assert [(push.seq, push.data) for push in again.missed] == [(1, {"n": 6})]
    # The same when it is a notice that begins the new stream.
    await redis.delete("gs:stream:{7}")
    assert await pushes.keep(7, "notice", {"text": "hello"}) == 1
    assert await redis.llen("gs:pushes:{7}") == 1


@pytest.mark.parametrize("reconnects", [False, True], ids=["an open socket", "a client that comes back"])
async def test_a_stream_of_which_a_client_has_had_more_than_there_is_goes_on_under_another_name(
    redis: Redis, *, reconnects: bool
) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.keep_many("mail", [(7, {"n": number}) for number in range(2)])
    past = await remembered(redis)
    await pushes.keep_many("mail", [(7, {"n": number}) for number in range(2, 5)])
    await go_back(redis, past)
    seen = Seen(first.stream, 5)
    opened = await pushes.open(7, seen) if reconnects else (await pushes.catch_up([(7, seen)]))[0]
    last = 2 if reconnects else 7
    assert (opened.stream != first.stream, opened.resumed, opened.seq) == (True, False, last)
    # An open socket's numbers go on; one that comes back may have had the next ones, under another name.
    assert [(push.seq, push.data["n"]) for push in opened.missed] == ([] if reconnects else [(6, 0), (7, 1)])
    await pushes.keep_many("mail", [(7, {"n": number}) for number in range(10, 14)])
    again = await pushes.open(7, Seen(opened.stream, last))
    found = [(push.seq, push.data["n"]) for push in again.missed]
    assert (again.resumed, found) == (True, [(last + more, 9 + more) for more in range(1, 5)])
    assert not (await pushes.open(7, seen)).resumed


@pytest.mark.parametrize("more", [0, 1, 3])
async def test_a_push_that_has_the_number_of_a_lost_one_is_told_from_it(redis: Redis, more: int) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.keep_many("mail", [(7, {"n": 0})])
    past = await remembered(redis)
    await pushes.keep_many("mail", [(7, {"n": 1})])
    (opened,) = await pushes.catch_up([(7, Seen(first.stream, 0))])
    seen = Seen(first.stream, 2, opened.missed[-1].mark)
    (again,) = await pushes.catch_up([(7, seen)])
    assert (again.stream, again.resumed, again.missed) == (first.stream, True, [])
    await go_back(redis, past)
    await pushes.keep_many("mail", [(7, {"n": number}) for number in range(10, 11 + more)])
    (opened,) = await pushes.catch_up([(7, seen)])
    assert (opened.stream != first.stream, opened.resumed) == (True, False)
    assert [push.data["n"] for push in opened.missed] == [0, *range(10, 11 + more)]


async def test_a_later_skipped_letter_with_a_lower_number_hides_no_other(redis: Redis) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())

    async def send(sender: str, count: int) -> list[int]:
        return await pushes.keep_many("mail", [(7, {"sender": sender}) for _ in range(count)])

    seen = (await send("2", SENDER_SHARE))[-1]
    lost = (await send("1", SENDER_SHARE + 1))[0]
    assert await send("2", 1) == [lost + SENDER_SHARE + 1]
    resumed = await pushes.open(7, Seen(first.stream, seen))
    assert lost not in [push.seq for push in resumed.missed]
    assert (resumed.resumed, resumed.mail_skipped) == (True, True)
    assert not (await pushes.open(7, Seen(first.stream, lost))).mail_skipped


async def test_nodes_that_were_killed_leave_the_list_though_nobody_asks(redis: Redis) -> None:
    await redis.zadd(NODES, {"killed~1": 1, "frozen~2": 1000})
    presence = Presence(redis, "n1", "127.0.0.1:1", "2026-01-01T00:00:00Z")
    async with beating(presence, {7}):
        await wait_until(lambda: _names(redis, ["n1"]), what="only the live node")


async def test_a_node_whose_entry_was_evicted_is_listed_again_and_reads_its_players_anew(redis: Redis) -> None:
    presence = Presence(redis, "n1", "127.0.0.1:1", "2026-01-01T00:00:00Z")
    async with beating(presence, {7, 8}):
        await wait_until(lambda: _names(redis, ["n1"]), what="the node")
        await redis.delete(NODES)
        await wait_until(lambda: _names(redis, ["n1"]), what="the node again")
        (key,) = await _nodes(redis)
        assert await redis.smembers(PLAYERS + key) == {b"7", b"8"}
        listened = presence.hear()
        assert [await anext(listened), await anext(listened)] == [None, None], "the start, and the gap"


async def _names(redis: Redis, expected: list[str]) -> bool:
    return [name.split("~")[0] for name in await _nodes(redis)] == expected


async def _nodes(redis: Redis) -> list[str]:
    names: Any = await redis.zrange(NODES, 0, -1)
    return [name.decode() for name in names]


@contextlib.asynccontextmanager
async def beating(presence: Presence, players: set[int]) -> AsyncIterator[None]:
    task = asyncio.create_task(presence.beat(lambda: players, lambda: len(players)))
    yield
    await cancel_and_wait([task])


@pytest.mark.parametrize("field", ["stream", "seq", "notice", "lost", "skipped", "waits", "sent_at"])
@pytest.mark.parametrize("junk", [None, b"null -", b"-1", b"nan!", b"1e300!", b"9" * 80, b"", b"\xff"])
async def test_a_stream_whose_hash_cant_be_read_begins_anew(redis: Redis, field: str, junk: bytes | None) -> None:
    if junk is None and field in ("lost", "skipped", "waits", "sent_at"):
        pytest.skip("a stream may have none")
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.keep_many("mail", [(7, {"n": number}) for number in range(5)])
    await (redis.hdel("gs:stream:{7}", field) if junk is None else redis.hset("gs:stream:{7}", field, junk))
    assert await pushes.keep(7, "notice", {"text": "hello"}) == 1
    (opened,) = await pushes.catch_up([(7, Seen(first.stream, 3))])
    assert (opened.stream != first.stream, opened.resumed) == (True, False)
    assert [(push.seq, push.data) for push in opened.missed] == [(1, {"text": "hello"})]

    await (redis.hdel("gs:stream:{7}", field) if junk is None else redis.hset("gs:stream:{7}", field, junk))
    again = await pushes.open(7, Seen(opened.stream, 1))
    assert (again.stream != opened.stream, again.resumed, again.seq) == (True, False, 0)


@pytest.mark.parametrize("junk", [b"null", b"6 null", b"6 {]", b"6 [1, 2]", b"9" * 40 + b' ["mail", {}]', b"\xff"])
async def test_a_stream_of_which_a_push_cant_be_read_begins_anew(redis: Redis, junk: bytes) -> None:
    pushes = Pushes(redis)
    first = await pushes.open(7, Seen())
    await pushes.keep_many("mail", [(7, {"n": number}) for number in range(5)])
    await redis.rpush("gs:pushes:{7}", junk)
    (opened,) = await pushes.catch_up([(7, Seen("another", 3))])
    assert (opened.stream != first.stream, opened.seq, opened.missed) == (True, 0, [])
    assert await pushes.keep_many("mail", [(7, {"n": 6})]) == [1]


async def test_notices_that_cant_be_read_are_passed_over(redis: Redis) -> None:
    pushes = Pushes(redis)
    for junk in (b"null", b"1 {]", b"9" * 20 + b' ["notice", {}]', b"\xff"):
        await redis.rpush(NOTICES, junk)
    await redis.set(NOTICE_NUMBER, "1e300")
    number = await pushes.add_notice({"text": "hello"})
    await pushes.load_notices()
    await pushes.open(7, Seen())
    second = await pushes.add_notice({"text": "again"})
    await pushes.load_notices()
    (opened,) = await pushes.catch_up([(7, Seen())])
    assert (number < second < 2**53, [push.data["text"] for push in opened.missed]) == (True, ["again"])

"""Followers' snapshots against a model of a server: commits in any order, crashes that hand out ids again."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gameserver.storage.ledger.snapshot import Checkpoint, Snapshot, Source

WINDOW = 3
"""Transaction ids read in a turn; small, so that turns are often cut short."""


class Following(RuleBasedStateMachine):
    """A server's transactions, each with one row, and a follower that reads as `follower.sql` does."""

    def __init__(self) -> None:
        super().__init__()
        self.next, self.session, self.restarts = 5, 1, 0
        self.running: dict[int, str] = {}
        self.visible: list[tuple[int, str]] = []
        self.read: list[str] = []
        self.taken = [self.snapshot()]
        self.checkpoint = Checkpoint(self.source(), self.snapshot(), self.next - 1)

    def snapshot(self) -> Snapshot:
        low = min((self.next, *self.running))
        return Snapshot.parse(f"{low}:{self.next}:{','.join(map(str, sorted(self.running)))}")

    def source(self) -> Source:
        return Source("a system", "00000001", str(self.session))

    @rule(count=st.integers(1, 4))
    def begin(self, count: int) -> None:
        for _ in range(count):
            self.running[self.next] = f"row of {self.next}, restart {self.restarts}"
            self.next += 1

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 100), commits=st.booleans())
    def end(self, which: int, commits: bool) -> None:
        txid = sorted(self.running)[which % len(self.running)]
        row = self.running.pop(txid)
        if commits:
            self.visible.append((txid, row))

    @rule()
    def another_follower_takes_over(self) -> None:
        self.session += 1

    @rule()
    def crash(self) -> None:
        """Ids above the last that was seen committed may have left no trace on disk."""
        self.running.clear()
        self.next = max((4, *(txid for txid, _ in self.visible))) + 1
        self.session += 1
        self.restarts += 1
        self.taken.clear()

    @rule()
    def turn(self) -> None:
        self.follow()

    def follow(self) -> list[str]:
        since = Checkpoint.load(self.checkpoint.dump()).on(self.source())
        assert since is not None
        last, until, now = since.snapshot, since.snapshot.xmax + WINDOW, self.snapshot()
        rows = [
            (txid, row)
            for txid, row in self.visible
            if last.lowest <= txid < until and (txid >= last.xmax or txid in last.running)
        ]
        committed = max((since.committed, *(txid for txid, _ in rows)))
        self.checkpoint = Checkpoint(since.source, now.until(until), committed)
        self.taken.append(now)
        self.read += [row for _, row in rows]
        return [row for _, row in rows]

    @invariant()
    def later_snapshots_are_of_higher_age(self) -> None:
        ages = [each.age() for each in self.taken]
        assert ages == sorted(ages)
        assert len(set(ages)) == len(set(self.taken))

    def teardown(self) -> None:
        while (self.checkpoint.source, self.checkpoint.snapshot) != (self.source(), self.snapshot()):
            self.follow()
        rows = [row for _, row in self.visible]
        assert set(rows) <= set(self.read), "a row was never read"
        assert set(self.read) <= set(rows), "a row was read that isn't there"
        if self.session == 1:
            assert len(self.read) == len(rows), "a row was read twice over one connection"


Following.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestFollowing = Following.TestCase

snapshots = st.builds(
    lambda xmax, back: Snapshot(xmax, tuple(sorted({xmax - each for each in back if each < xmax}))),
    st.integers(1, 2**40),
    st.lists(st.integers(1, 50), max_size=5),
)


@given(snapshots, st.integers(-60, 60))
def test_a_snapshot_cut_short_has_read_what_it_had_read_below_the_cut_and_nothing_from_there(
    whole: Snapshot, above: int
) -> None:
    cut = max(0, whole.xmax + above)
    short = whole.until(cut)
    assert short.xmax == min(cut, whole.xmax)
    assert short.lowest <= short.xmax

    def has_read(snapshot: Snapshot, txid: int) -> bool:
        return txid < snapshot.xmax and txid not in snapshot.running

    for txid in {*whole.running, cut - 1, cut, cut + 1, whole.xmax - 1, whole.xmax}:
        assert has_read(short, txid) == (has_read(whole, txid) and txid < cut)


@given(snapshots, st.integers(0, 2**40))
def test_a_checkpoint_comes_back_from_its_text_and_is_worth_nothing_on_another_system_or_timeline(
    snapshot: Snapshot, committed: int
) -> None:
    here = Source("7", "00000001", "ab")
    checkpoint = Checkpoint(here, snapshot, committed)
    assert Checkpoint.load(checkpoint.dump()) == checkpoint == checkpoint.on(here)
    assert checkpoint.on(Source("8", "00000001", "ab")) is None
    assert checkpoint.on(Source("7", "00000002", "ab")) is None
    elsewhere = checkpoint.on(Source("7", "00000001", "cd"))
    assert elsewhere == Checkpoint(Source("7", "00000001", "cd"), snapshot.until(committed + 1), committed)

"""A run is counted in the second in which an operation ended, and a silent second is there, too."""

from bots.count.recorder import RunRecorder


def test_operations_count_in_the_second_in_which_they_ended() -> None:
    recorder = RunRecorder()
    recorder.start(100.0)
    recorder.answered("hunt", 100.1, 100.2, 100.9)
    recorder.answered("hunt", 100.2, 100.9, 101.0)
    recorder.failed("hunt", "timeout", 101.5)
    recorder.answered("hunt", 103.0, 103.0, 103.1, refusal="player_is_down")
    recorder.finish()
    counts = [(second.at, second.counts.of("hunt")) for second in recorder.seconds]
    assert [(at, hunt.ok, hunt.errors.total(), hunt.refused.total()) for at, hunt in counts] == [
        (0, 1, 0, 0), (1, 1, 1, 0), (2, 0, 0, 0), (3, 0, 0, 1),
    ]  # fmt: skip
    assert counts[1][1].planned.longest() > 7 * counts[1][1].service.longest()


def test_only_what_begins_late_is_late() -> None:
    recorder = RunRecorder()
    recorder.start(0.0)
    recorder.begun("hunt", 0.1, 0.105)
    recorder.begun("hunt", 0.1, 0.2)
    recorder.finish()
    assert recorder.seconds[0].counts.of("hunt").late == 1


def test_nothing_counts_before_the_start_and_after_the_end() -> None:
    recorder = RunRecorder()
    recorder.came_from("a", 1.0)
    recorder.start(5.0)
    recorder.came_from("a", 5.5)
    recorder.finish()
    recorder.came_from("a", 6.5)
    assert [second.counts.nodes["a"] for second in recorder.seconds] == [1]

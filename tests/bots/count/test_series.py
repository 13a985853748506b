"""Attempts and successes are counted by the tenth of a second, and the worst second is the one to look at."""

from bots.count.series import Series, Tenth


def test_the_worst_second_is_the_one_with_the_most_attempts() -> None:
    series = Series()
    for at in (0.05, 3.0, 5.21, 5.25, 6.18, 6.9):
        series.attempted(at)
    series.succeeded(5.3)
    assert series.worst_second() == 52
    assert series.around_worst(0)[:2] == [Tenth(5.2, 2, 0), Tenth(5.3, 0, 1)]
    assert sum(tenth.attempts for tenth in series.all()) == series.attempts() == 6


def test_a_series_without_connections_is_empty() -> None:
    assert (Series().all(), Series().worst_second()) == ([], 0)

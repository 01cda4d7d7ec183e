"""Hand-made histories: what is wrong is found, and what is right is not."""

import pytest

from tests.faults.history import Fate, Guarantee, History, Read, Violation, Write
from tests.faults.weather import Part, Weather

ADA, BO = 0, 1
ADAS, BOS, SPARE = "ada@example.com", "bo@example.com", "spare@example.com"


@pytest.fixture
def weather() -> Weather:
    return Weather(settle_s=5, recovery_s=3)


@pytest.fixture
def history(weather: Weather) -> History:
    """Ada and Bo are registered, by the writes 1 and 2, long ago."""
    history = History(weather)
    for person, marker, address in ((ADA, 1, ADAS), (BO, 2, BOS)):
        history.done(history.begin(marker, 0, 0.0), 0.1)
        history.committed(person, marker, address, 0.2)
    return history


def written(
    history: History,
    marker: int,
    at: float,
    *,
    person: int = ADA,
    address: str = ADAS,
    process: int | None = 0,
    answered: bool = True,
    seen_at: float | None = None,
) -> Write:
    """Write at *at*; it is answered 0.1 s later, and PostgreSQL shows it after 0.2 s or at *seen_at*."""
    write = history.begin(marker, process, at)
    if answered:
        history.done(write, at + 0.1)
    else:
        write.fate = Fate.AMBIGUOUS
    history.committed(person, marker, address, at + 0.2 if seen_at is None else seen_at)
    return write


def read(
    marker: int | None,
    at: float,
    *,
    person: int = ADA,
    address: str = ADAS,
    asked: int | str = ADA,
    took_s: float = 0.01,
) -> Read:
    shown = None if marker is None else (person, marker, address)
    return Read(1, at, at + took_s, "HIT", shown, asked)


def guarantee(found: Violation | None) -> Guarantee | None:
    return None if found is None else found.guarantee


def test_the_newest_state_is_right_at_any_time(history: History) -> None:
    written(history, 3, 10)
    assert history.judge(read(3, 10.1)) is None
    assert history.judge(read(3, 1000)) is None
    assert history.worst_s == 0


def test_a_state_that_is_overwritten_during_the_read_is_right(history: History) -> None:
    written(history, 3, 10)
    assert history.judge(read(1, 10.05, took_s=3)) is None
    assert history.worst_s == 0


def test_with_nothing_broken_a_write_that_was_answered_is_seen(history: History) -> None:
    written(history, 3, 10)
    assert guarantee(history.judge(read(1, 10.11))) is Guarantee.G2
    assert history.worst_s == pytest.approx(0.01)


def test_a_later_write_may_be_seen_instead(history: History) -> None:
    written(history, 3, 10)
    written(history, 4, 10.2)
    assert history.judge(read(4, 10.31)) is None
    assert guarantee(history.judge(read(3, 10.31))) is Guarantee.G2


def test_a_write_by_hand_need_not_be_seen_at_once(history: History) -> None:
    written(history, 3, 10, process=None)
    assert history.judge(read(1, 14)) is None
    assert history.worst_s == pytest.approx(3.9)


@pytest.mark.parametrize(("began_at", "ended_at"), ((9, 10.05), (10.105, 10.2), (1, 9), (10.115, 11)))
def test_nothing_is_asked_at_once_of_what_is_or_was_just_broken(
    history: History, weather: Weather, began_at: float, ended_at: float
) -> None:
    weather.end(weather.begin("Valkey paused", Part.CACHE, began_at), ended_at)
    written(history, 3, 10)
    assert history.judge(read(1, 10.11)) is None


@pytest.mark.parametrize(("began_at", "ended_at"), ((1, 4.9), (10.13, 11)))
def test_what_was_broken_long_before_or_is_afterwards_excuses_nothing(
    history: History, weather: Weather, began_at: float, ended_at: float
) -> None:
    weather.end(weather.begin("Valkey paused", Part.CACHE, began_at), ended_at)
    written(history, 3, 10)
    assert guarantee(history.judge(read(1, 10.11))) is Guarantee.G2


def test_a_fault_that_is_not_over_excuses(history: History, weather: Weather) -> None:
    weather.begin("Valkey paused", Part.CACHE, 1)
    written(history, 3, 10)
    assert history.judge(read(1, 10.11)) is None


def test_beyond_the_bound_no_fault_is_an_excuse(history: History, weather: Weather) -> None:
    weather.begin("Valkey paused", Part.CACHE, 1)
    written(history, 3, 10)
    assert history.judge(read(1, 15.09)) is None
    assert guarantee(history.judge(read(1, 15.11))) is Guarantee.G5
    assert history.worst_s == pytest.approx(5.01)


def test_what_was_changed_by_hand_is_bound_as_well(history: History) -> None:
    written(history, 3, 10, process=None)
    assert guarantee(history.judge(read(1, 15.11))) is Guarantee.G10


def test_a_write_without_an_answer_is_known_once_postgresql_shows_it(
    history: History, weather: Weather
) -> None:
    weather.begin("process killed", Part.PROCESS, 9)
    written(history, 3, 10, answered=False, seen_at=30)
    assert history.judge(read(1, 29)) is None
    assert history.judge(read(1, 34.9)) is None
    assert guarantee(history.judge(read(1, 35.1))) is Guarantee.G5


def test_a_write_without_an_answer_is_known_once_anybody_has_read_it(
    history: History, weather: Weather
) -> None:
    weather.begin("process killed", Part.PROCESS, 9)
    written(history, 3, 10, answered=False, seen_at=30)
    assert history.judge(read(3, 11)) is None
    assert guarantee(history.judge(read(1, 17))) is Guarantee.G5


def test_a_write_that_never_was_committed_is_not_asked_for(history: History) -> None:
    history.begin(3, 0, 10).fate = Fate.AMBIGUOUS
    assert history.judge(read(1, 100)) is None
    assert history.worst_s == 0


def test_the_invalidation_of_a_killed_process_is_told_apart(history: History) -> None:
    written(history, 3, 10, answered=False).was_killed = True
    assert guarantee(history.judge(read(1, 20))) is Guarantee.G4
    written(history, 4, 11)
    assert guarantee(history.judge(read(1, 20))) is Guarantee.G5


def test_what_was_never_committed_may_not_be_shown(history: History) -> None:
    history.begin(3, 0, 10)
    assert guarantee(history.judge(read(3, 10.2))) is Guarantee.REAL
    assert guarantee(history.judge(read(1, 10.2, address=SPARE))) is Guarantee.REAL
    assert guarantee(history.judge(read(2, 10.2, person=BO, address=BOS, asked=ADA))) is Guarantee.REAL
    assert guarantee(history.judge(read(None, 10.2))) is Guarantee.REAL


def test_somebody_with_another_address_is_not_the_one_asked_for(history: History) -> None:
    written(history, 3, 10, address=SPARE)
    assert guarantee(history.judge(read(3, 11, address=SPARE, asked=ADAS))) is Guarantee.G9
    assert (
        history.judge(read(3, 11, address=SPARE, asked=SPARE.upper())) is not None
    )  # addresses are lower case here


def test_an_address_that_moved_on_leads_to_the_old_person_no_longer(history: History) -> None:
    written(history, 3, 10, address=SPARE)
    written(history, 4, 11, person=BO, address=ADAS)
    assert history.judge(read(4, 11.2, person=BO, asked=ADAS)) is None
    assert guarantee(history.judge(read(1, 11.2, asked=ADAS))) is Guarantee.G2
    assert guarantee(history.judge(read(1, 20, asked=ADAS))) is Guarantee.G5


def test_nobody_is_found_by_an_address_that_is_free(history: History) -> None:
    written(history, 3, 10, address=SPARE)
    assert history.judge(read(None, 10.05, asked=ADAS)) is None, "it may be committed already"
    assert history.judge(read(None, 50, asked=ADAS)) is None
    assert history.judge(read(None, 50, asked="nobody@example.com")) is None
    assert guarantee(history.judge(read(None, 9.9, asked=ADAS))) is Guarantee.G5, "it was Ada's all the time"


def test_nobody_is_found_for_too_long_by_an_address_that_was_taken(history: History) -> None:
    written(history, 3, 10, address=SPARE)
    assert guarantee(history.judge(read(None, 10.2, asked=SPARE))) is Guarantee.G2
    assert guarantee(history.judge(read(None, 16, asked=SPARE))) is Guarantee.G5
    written(history, 4, 20, address=ADAS)
    assert history.judge(read(None, 21, asked=SPARE)) is None


def test_a_write_that_was_answered_is_stored_and_one_that_was_refused_is_not(history: History) -> None:
    assert not list(history.unlearned())
    history.done(history.begin(3, 0, 10), 10.1)
    assert [one.guarantee for one in history.unlearned()] == [Guarantee.DURABLE]
    history.committed(ADA, 3, ADAS, 11)
    assert not list(history.unlearned())
    written(history, 4, 12, answered=False).fate = Fate.REFUSED
    assert [one.guarantee for one in history.unlearned()] == [Guarantee.DURABLE]


def test_writes_of_unknown_outcome_are_counted_once_they_show(history: History) -> None:
    written(history, 3, 10, answered=False).was_killed = True
    written(history, 4, 10, answered=False)
    history.begin(5, 0, 10).fate = Fate.AMBIGUOUS
    assert history.resolved() == (2, 1)


def test_a_request_may_fail_while_postgresql_or_its_own_process_is_broken(weather: Weather) -> None:
    weather.end(weather.begin("Valkey paused", Part.CACHE, 10), 20)
    assert not weather.excuses(0, 11, 12, is_write=True)
    weather.end(weather.begin("process paused", Part.PROCESS, 30, frozenset({1})), 35)
    assert weather.excuses(1, 31, 32, is_write=False)
    assert weather.excuses(1, 37.9, 38.5, is_write=False), "it has just come back"
    assert not weather.excuses(1, 38.1, 39, is_write=False)
    assert not weather.excuses(0, 31, 32, is_write=False)
    assert weather.excuses(0, 31, 32, is_write=True), "the paused one may hold the row's lock"
    weather.end(weather.begin("PostgreSQL restarted", Part.DATABASE, 50), 51)
    assert weather.excuses(0, 49, 50.5, is_write=False)

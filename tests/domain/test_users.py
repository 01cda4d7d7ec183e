"""People: what they may be called, what a change of theirs does to the record, and what they are told."""

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.email import email_key
from domain.errors import DomainError, InvalidField, InvalidFields
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.telling import tell, told
from domain.user import Particulars, User, change, particulars_of, register, remove, restore
from tests.domain.people import ADA_ID, LONG_AGO, PI_DAY, ada, utc

NOW = utc("2027-03-14T12:00")
WHOLE: Mapping[str, str | None] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/London",
    "birthday": "1990-12-10",
    "anniversary": "2019-06-01",
    "leap_day_rule": "mar1",
}


def problems_of(raw: Mapping[str, str | None]) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refused:
        tell(raw)
    return {problem.field: problem.reason for problem in refused.value.problems}


@pytest.mark.parametrize(
    "name",
    (
        "Ada",
        "José",
        "Nguyễn Thị Minh Khai",
        "Møller-Ærø",
        "O'Brien",
        "O\u2019Brien",
        'Jesús G. "Chuy" García',
        "李",
        "محمد",
        "می‌خواهم",  # holds a zero-width non-joiner, as Persian does
        "X Æ A-12",
        "Robert'); DROP TABLE users;--",
        "<script>",
        "x" * 200,
        "👩‍🚀",
    ),
)
def test_what_a_person_may_be_called(name: str) -> None:
    for field in ("first_name", "last_name"):
        assert tell({field: name}) == {field: unicodedata.normalize("NFC", name)}


@pytest.mark.parametrize(
    "name",
    (
        "",
        " ",
        "\u3000",
        "x" * 201,
        "A\nBcc: victim@example.com",
        "A\r\nB",
        "A\tB",
        "A\0B",
        "A\x7fB",
        "A\x85B",
        "A\u2028B",
        "A\u2029B",
        "A\ud800B",
        "\udfff",
        "A\x1bB",
    ),
)
def test_what_a_person_may_not_be_called(name: str) -> None:
    for field in ("first_name", "last_name"):
        reason = problems_of({field: name})[field]
        assert not name.strip() or name not in reason


def test_names_are_kept_in_one_form_without_blanks_around() -> None:
    assert tell({"first_name": "  Zoe\u0308 \n"}) == {"first_name": "Zoë"}
    assert tell({"email": " ada@example.com\n"}) == {"email": "ada@example.com"}
    composed = attrs.evolve(particulars_of(ada()), first_name="Zo\u00eb")
    decomposed = attrs.evolve(composed, first_name="Zoe\u0308")
    user = register(ADA_ID, composed, NOW)
    assert change(user, decomposed, NOW) is user


def test_the_length_counts_after_the_form() -> None:
    assert tell({"first_name": "e\u0301" * 200})


@pytest.mark.parametrize(
    "email",
    (
        "ada@example.com",
        "ADA@EXAMPLE.COM",
        "ada.lovelace+birthday@mail.example.co.uk",
        "o'brien@example.com",
        "{ada}!#$%&*/=?^_`|~-@example.com",
        "josé@example.com",
        "ada@münchen.example",
        "1@2.example",
        "a@b.co",
        "x" * 64 + "@example.com",
        "ada@" + ("x" * 49 + ".") * 4 + "x" * 50,
    ),
)
def test_addresses(email: str) -> None:
    assert tell({"email": email}) == {"email": email}


@pytest.mark.parametrize(
    "email",
    (
        "",
        "ada",
        "@",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@@example.com",
        "ada@bob@example.com",
        "ada@example..com",
        "ada@.example.com",
        "ada@example.com.",
        "ada@-example.com",
        "ada@example-.com",
        "ada@example.-com",
        ".ada@example.com",
        "ada.@example.com",
        "ada..lovelace@example.com",
        "ada lovelace@example.com",
        "ada@exam ple.com",
        "ada\u00a0@example.com",
        "ada\u200b@example.com",  # what looks like another's address is not one
        "ada@example\u00ad.com",
        "\u202eada@example.com",
        "Ada <ada@example.com>",
        "<ada@example.com>",
        "mailto:ada@example.com",
        "ada@example.com,bob@example.com",
        "ada@example.com;bob@example.com",
        '"ada"@example.com',
        "ada(home)@example.com",
        "ada\\@example.com",
        "ada@[127.0.0.1]",
        "ada@example.com\r\nBcc: victim@example.com",
        "ada\0@example.com",
        "ada\ud800@example.com",
        "x" * 65 + "@example.com",
        "ada@" + ("x" * 49 + ".") * 4 + "x" * 51,
    ),
)
def test_what_is_no_address(email: str) -> None:
    assert list(problems_of({"email": email})) == ["email"]


def test_the_key_of_an_address_does_not_know_its_case() -> None:
    assert email_key(" Ada@Example.COM ") == email_key("ada@example.com") == "ada@example.com"
    assert email_key("JOSE\u0301@example.com") == email_key("jos\u00e9@example.com")
    assert email_key("ada@example.com") != email_key("ada.@example.com")
    assert attrs.evolve(ada(), email="ADA@Example.com").email_key == "ada@example.com"
    assert attrs.evolve(ada(), email="ADA@Example.com").email == "ADA@Example.com"


@pytest.mark.parametrize("name", ("\u202eada", "a\u2066da", "\u200b", "\u3164", "\u2800 \u200d", "\u0301"))
def test_a_name_can_be_seen_and_turns_nothing_around(name: str) -> None:
    assert list(problems_of({"first_name": name})) == ["first_name"]


@pytest.mark.parametrize(
    "name", ("می\u200cخواهم", "न्\u200dय", "\u200fשלום", "Zoe\u0301", "O’Neil", "李", "X Æ A-12")
)
def test_a_name_is_written_as_its_letters_need(name: str) -> None:
    assert tell({"first_name": name}) == {"first_name": unicodedata.normalize("NFC", name)}


@pytest.mark.slow
@given(text=st.text(st.characters(codec="utf-8", max_codepoint=0x24F)))
def test_the_key_of_a_key_is_the_key(text: str) -> None:
    assert email_key(email_key(text)) == email_key(text)


def test_everything_that_is_told() -> None:
    assert told(tell(WHOLE)) == Particulars(
        first_name="Ada",
        last_name="Lovelace",
        email="ada@example.com",
        timezone="Europe/London",
        birthday=AnnualDate(12, 10, 1990),
        anniversary=date(2019, 6, 1),
        leap_day_rule=LeapDayRule.MAR1,
    )
    assert tell({"birthday": " --02-29 "}) == {"birthday": AnnualDate(2, 29)}
    assert tell({"birthday": None, "anniversary": None, "leap_day_rule": None}) == {
        "birthday": None,
        "anniversary": None,
        "leap_day_rule": None,
    }
    assert tell({}) == {}


def test_all_problems_are_told_at_once() -> None:
    wrong = {
        "first_name": "",
        "last_name": None,
        "email": "nobody",
        "timezone": "Mars/Olympus_Mons",
        "birthday": "1990-02-30",
        "anniversary": "--06-01",
        "leap_day_rule": "sometimes",
    }
    assert list(problems_of(wrong)) == list(wrong)


@pytest.mark.parametrize("field", ("first_name", "last_name", "email", "timezone"))
def test_what_everybody_has_cannot_be_taken_back(field: str) -> None:
    assert list(problems_of({field: None})) == [field]


def test_what_is_missing_of_a_new_person_is_told_at_once() -> None:
    with pytest.raises(InvalidFields) as refused:
        told(tell({"birthday": "1990-12-10", "last_name": "Lovelace"}))
    assert [problem.field for problem in refused.value.problems] == ["first_name", "email", "timezone"]


@pytest.mark.parametrize("field", ("birthday", "anniversary"))
@pytest.mark.parametrize("text", ("1599-12-31", "0001-01-01", "1990-02-29", "soon", "", "2019-6-1"))
def test_dates_that_are_none(field: str, text: str) -> None:
    assert list(problems_of({field: text})) == [field]


def test_the_years_begin_with_1600() -> None:
    assert tell({"birthday": "1600-02-29", "anniversary": "1600-01-01"})


MARK = "zqx9"


@pytest.mark.slow
@given(
    field=st.sampled_from([*WHOLE]),
    text=st.text(max_size=30).map(lambda text: MARK + text)
    | st.text(max_size=30).map(lambda text: text + MARK),
)
def test_no_text_repeats_what_was_told(field: str, text: str) -> None:
    said = ""
    try:
        tell({field: text})
    except InvalidFields as refused:
        said = "".join(
            [str(refused), str(refused.__cause__), *(problem.reason for problem in refused.problems)]
        )
    assert MARK not in said


@pytest.mark.slow
@given(raw=st.dictionaries(st.sampled_from([*WHOLE]), st.none() | st.text(max_size=40)))
def test_whatever_is_told_is_taken_or_refused(raw: Mapping[str, str | None]) -> None:
    try:
        values, refused = tell(raw), set()
    except InvalidFields as invalid:
        values, refused = {}, {problem.field for problem in invalid.problems}
    assert set(values) == (set() if refused else set(raw))
    assert refused <= set(raw)
    assert tell({name: _as_text(value) for name, value in values.items()}) == values


def _as_text(value: Any) -> str | None:
    return None if value is None else str(value)


@pytest.mark.parametrize(
    ("field", "value"),
    (("first_name", ""), ("email", "nobody"), ("birthday", AnnualDate(1, 1, 1599))),
)
def test_nobody_exists_who_breaks_the_rules(field: str, value: object) -> None:
    with pytest.raises(InvalidField) as refused:
        attrs.evolve(ada(), **{field: value})  # type: ignore[arg-type]  # on purpose
    assert refused.value.field == field


def test_a_new_person_is_known_from_now_on() -> None:
    user = register(ADA_ID, particulars_of(ada()), NOW)
    assert (user.version, user.deleted_at) == (1, None)
    assert {
        user.created_at,
        user.updated_at,
        user.known_at(Kind.BIRTHDAY),
        user.known_at(Kind.ANNIVERSARY),
    } == {NOW}


def test_what_has_not_changed_is_the_very_same() -> None:
    user = ada()
    assert change(user, particulars_of(user), NOW) is user


def changed(**values: Any) -> Any:
    user = ada(anniversary=date(2019, 6, 1))
    return change(user, attrs.evolve(particulars_of(user), **values), NOW)


@pytest.mark.parametrize(
    ("values", "birthday_known_at", "anniversary_known_at"),
    (
        ({"birthday": AnnualDate(3, 15, 1990)}, NOW, LONG_AGO),
        ({"birthday": AnnualDate(3, 14)}, NOW, LONG_AGO),
        ({"birthday": None}, NOW, LONG_AGO),
        ({"anniversary": date(2018, 6, 1)}, LONG_AGO, NOW),
        ({"anniversary": None}, LONG_AGO, NOW),
        ({"anniversary": None, "birthday": None}, NOW, NOW),
        ({"timezone": "Asia/Tokyo"}, LONG_AGO, LONG_AGO),
        ({"leap_day_rule": LeapDayRule.MAR1}, LONG_AGO, LONG_AGO),
        ({"first_name": "Augusta"}, LONG_AGO, LONG_AGO),
    ),
)
def test_from_when_a_date_is_known(
    values: dict[str, Any], birthday_known_at: datetime, anniversary_known_at: datetime
) -> None:
    user = changed(**values)
    assert user.known_at(Kind.BIRTHDAY) == birthday_known_at
    assert user.known_at(Kind.ANNIVERSARY) == anniversary_known_at
    assert (user.version, user.updated_at, user.created_at) == (2, NOW, LONG_AGO)


@pytest.mark.parametrize(
    ("values", "moves"),
    (
        ({"timezone": "Asia/Tokyo"}, True),
        ({"birthday": None}, True),
        ({"anniversary": date(2018, 6, 1)}, True),
        ({"leap_day_rule": LeapDayRule.FEB28}, True),
        ({"first_name": "Augusta"}, False),
        ({"email": "augusta@example.com"}, False),
    ),
)
def test_which_changes_move_messages(values: dict[str, Any], *, moves: bool) -> None:
    before = ada(anniversary=date(2019, 6, 1))
    assert changed(**values).moves_messages(before) is moves
    assert remove(before, NOW).moves_messages(before)


def test_versions_grow_by_one() -> None:
    user = ada()
    moved = change(user, attrs.evolve(particulars_of(user), timezone="Asia/Tokyo"), NOW)
    gone = remove(moved, NOW)
    back = restore(gone, particulars_of(user), NOW)
    assert [one.version for one in (user, moved, gone, back)] == [1, 2, 3, 4]


def test_who_leaves_is_kept_and_who_returns_is_the_same_person_known_anew() -> None:
    gone = remove(ada(), NOW)
    assert (gone.deleted_at, gone.updated_at, gone.birthday) == (NOW, NOW, PI_DAY)
    later = NOW + timedelta(days=400)
    back = restore(gone, attrs.evolve(particulars_of(gone), timezone="Asia/Tokyo"), later)
    assert (back.id, back.deleted_at, back.timezone) == (ADA_ID, None, "Asia/Tokyo")
    assert {back.created_at, back.birthday_known_at, back.anniversary_known_at} == {later}


@pytest.mark.parametrize(
    ("born", "accepted"),
    (
        (AnnualDate(3, 14, 2027), True),
        (AnnualDate(3, 15, 2027), True),  # in Kiritimati it is already the 15th
        (AnnualDate(3, 16, 2027), False),
        (AnnualDate(1, 1, 2028), False),
        (AnnualDate(12, 31), True),
        (None, True),
    ),
)
def test_nobody_is_born_in_the_future(born: AnnualDate | None, *, accepted: bool) -> None:
    now = datetime(2027, 3, 14, 11, tzinfo=UTC)
    particulars = attrs.evolve(particulars_of(ada()), birthday=born)
    attempts: list[Callable[[], User]] = [
        lambda: register(ADA_ID, particulars, now),
        lambda: change(ada(), particulars, now),
        lambda: restore(remove(ada(), now), particulars, now),
    ]
    for attempt in attempts:
        if accepted:
            assert attempt().birthday == born
        else:
            with pytest.raises(InvalidField) as refused:
                attempt()
            assert refused.value.field == "birthday"


def test_who_was_registered_with_a_future_day_may_still_change_all_else() -> None:
    """Only a birthday that is told is judged; the clock may have been set back since."""
    user = ada(birthday=AnnualDate(3, 14, 1990))
    before_birth = datetime(1980, 1, 1, tzinfo=UTC)
    moved = change(user, attrs.evolve(particulars_of(user), timezone="Asia/Tokyo"), before_birth)
    assert moved.timezone == "Asia/Tokyo"


def test_an_anniversary_may_lie_ahead() -> None:
    user = register(ADA_ID, attrs.evolve(particulars_of(ada()), anniversary=date(2030, 1, 1)), NOW)
    assert user.annual(Kind.ANNIVERSARY) == AnnualDate(1, 1, 2030)


def test_every_refusal_is_one_of_the_domain() -> None:
    problem = InvalidField("email", "No.")
    for error in (problem, InvalidFields([problem])):
        assert isinstance(error, DomainError)
    assert str(InvalidFields([problem, InvalidField("birthday", "Never.")])) == "email: No.; birthday: Never."

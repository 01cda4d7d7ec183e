"""UndoImport, complete lists, and whom a row is about."""

import itertools
from datetime import timedelta

import pytest

from application.errors import ImportNotFound, TooManyDeactivations
from application.imports import ImportOptions
from domain.message import Status
from domain.user import UserId
from tests.contract.adapters import START
from tests.use_cases.service import Service

HEADER = "external_id,first_name,last_name,email,timezone,birthday\n"
ADA = "E1,Ada,Lovelace,ada@example.com,Europe/Berlin,1990-03-14\n"
BOB = "E2,Bob,Bauer,bob@example.com,Asia/Kathmandu,--03-14\n"
CLEO = "E3,Cleo,Cruz,cleo@example.com,Europe/Berlin,1980-03-14\n"
COMPLETE = ImportOptions(is_complete=True)


async def names(service: Service) -> list[str]:
    return sorted(user.first_name for user in (await service.users.page(None, 2000)).items)


async def test_a_person_is_known_by_the_id_whatever_the_address(service: Service) -> None:
    await service.import_csv(HEADER + ADA)
    moved = HEADER + ADA.replace("ada@example.com", "countess@example.com")
    report = await service.import_csv(moved)
    assert (report.created, report.updated) == (0, 1)
    assert (await service.import_csv(moved)).unchanged == 1
    [user] = (await service.users.page(None, 10)).items
    assert user.email == "countess@example.com"


async def test_who_was_known_by_address_alone_gets_the_id(service: Service) -> None:
    await service.import_csv(
        "first_name,last_name,email,timezone\nAda,Lovelace,ada@example.com,Europe/Berlin\n"
    )
    assert (await service.import_csv(HEADER + ADA)).updated == 1
    assert (await service.import_csv(HEADER + ADA.replace("ada@", "a@"))).updated == 1
    assert await names(service) == ["Ada"]


async def test_an_address_of_somebody_with_another_id_is_told(service: Service) -> None:
    await service.import_csv(HEADER + ADA + BOB)
    before = service.store.committed.users
    for row, problem in (
        (ADA.replace("E1", "E9"), ("external_id", "Who has this address is known by another id.")),
        (BOB.replace("bob@", "ada@"), ("email", "Somebody else has this address.")),
    ):
        report = await service.import_csv(HEADER + row)
        assert [(one.field, one.reason) for one in report.errors] == [problem]
    assert service.store.committed.users == before


async def test_an_address_that_was_given_to_somebody_new_after_its_owner_left(service: Service) -> None:
    await service.import_csv(HEADER + ADA)
    [ada] = (await service.users.page(None, 10)).items
    await service.remove(UserId(ada.id))
    report = await service.import_csv(HEADER + ADA.replace("E1,Ada", "E7,Eve"))
    assert report.created == 1
    [eve] = (await service.users.page(None, 10)).items
    assert (eve.first_name, eve.id != ada.id) == ("Eve", True)


async def test_nobody_is_told_of_twice(service: Service) -> None:
    await service.import_csv(HEADER + ADA)
    report = await service.import_csv(
        HEADER + ADA.replace("ada@", "new@") + ADA.replace("E1,Ada", ",Augusta")
    )
    assert [(one.line, one.field, one.reason) for one in report.errors] == [
        (3, "email", "The same person as in line 2.")
    ]
    assert await names(service) == ["Ada"]


async def test_two_who_swap_addresses_are_told_and_harm_no_other(service: Service) -> None:
    await service.import_csv(HEADER + ADA + BOB)
    swapped = ADA.replace("ada@", "bob@") + BOB.replace("bob@", "ada@")
    report = await service.import_csv(HEADER + swapped + CLEO)
    assert [(one.line, one.field) for one in report.errors] == [(2, "email"), (3, "email")]
    assert report.created == 1


async def test_an_undo_takes_back_what_the_import_did(service: Service) -> None:
    await service.import_csv(HEADER + ADA + BOB)
    before = service.store.committed.users
    report = await service.import_csv(
        HEADER + ADA.replace("Ada", "Augusta").replace("1990", "1991") + BOB + CLEO
    )
    assert (report.created, report.updated, report.unchanged) == (1, 1, 1)
    undone = await service.undo(report)
    assert (undone.undone, undone.changed_since, undone.in_the_way) == (2, 0, 0)
    assert await names(service) == ["Ada", "Bob"]
    [ada] = [user for user in service.store.committed.users.values() if user.external_id == "E1"]
    assert ada.birthday == before[ada.id].birthday
    assert await service.statuses() == {Status.SCHEDULED: 2, Status.CANCELLED: 1}
    with pytest.raises(ImportNotFound):
        await service.undo(report)


async def test_an_undo_brings_back_who_was_deactivated_and_lets_go_who_came_back(service: Service) -> None:
    await service.import_csv(HEADER + ADA + BOB + CLEO)
    [ada] = [user for user in (await service.users.page(None, 10)).items if user.first_name == "Ada"]
    await service.remove(UserId(ada.id))
    everybody = ImportOptions(is_complete=True, confirmed=1)
    report = await service.import_csv(HEADER + ADA + BOB, everybody)
    assert (report.created, report.deactivated) == (1, 1)
    assert await names(service) == ["Ada", "Bob"]
    assert (await service.undo(report)).undone == 2
    assert await names(service) == ["Bob", "Cleo"]


async def test_an_undo_leaves_alone_what_was_changed_since(service: Service) -> None:
    report = await service.import_csv(HEADER + ADA + BOB)
    [ada] = [user for user in (await service.users.page(None, 10)).items if user.first_name == "Ada"]
    await service.change(UserId(ada.id), {"last_name": "King"})
    undone = await service.undo(report)
    assert (undone.undone, undone.changed_since) == (1, 1)
    assert await names(service) == ["Ada"]


async def test_an_undo_cannot_give_back_an_address_that_somebody_took(service: Service) -> None:
    await service.import_csv(HEADER + ADA + BOB)
    report = await service.import_csv(HEADER + ADA.replace("ada@", "new@") + BOB.replace("Bob", "Rob"))
    await service.import_csv("first_name,last_name,email,timezone\nEve,E,ada@example.com,Europe/Berlin\n")
    undone = await service.undo(report)
    assert (undone.undone, undone.in_the_way) == (1, 1)
    assert await names(service) == ["Ada", "Bob", "Eve"]


async def test_what_people_were_before_is_forgotten_with_them_and_after_a_while(service: Service) -> None:
    first = await service.import_csv(HEADER + ADA + BOB)
    [ada] = [user for user in (await service.users.page(None, 10)).items if user.first_name == "Ada"]
    await service.remove(UserId(ada.id), erase=True)
    assert {user_id for _, user_id in service.store.committed.import_changes} == {
        *service.store.committed.users
    }
    service.at(START + timedelta(days=30))
    await service.keep()
    assert len(service.store.committed.imports) == 1
    service.at(START + timedelta(days=30, seconds=1))
    await service.keep()
    assert not service.store.committed.imports
    assert not service.store.committed.import_changes
    with pytest.raises(ImportNotFound):
        await service.undo(first)


async def test_a_dry_run_is_nothing_to_undo(service: Service) -> None:
    report = await service.import_csv(HEADER + ADA, dry_run=True)
    assert report.import_id is None
    assert not service.store.committed.imports


def _people(count: int) -> str:
    return HEADER + "".join(f"E{number},P,L,p{number}@example.com,UTC,\n" for number in range(count))


async def test_who_is_not_in_a_complete_list_is_deactivated(service: Service) -> None:
    await service.import_csv(_people(20))
    report = await service.import_csv(_people(18), COMPLETE)
    assert (report.deactivated, report.unchanged) == (2, 18)
    assert len(await names(service)) == 18


async def test_the_brake_holds_before_anything_is_changed(service: Service) -> None:
    await service.import_csv(_people(20))
    before = service.store.committed
    text = _people(17) + "N,New,New,new@example.com,UTC,\n"
    for confirmed in (None, 2, 4, 20):
        with pytest.raises(TooManyDeactivations, match="lacks 3 of 20"):
            await service.import_csv(text, ImportOptions(is_complete=True, confirmed=confirmed))
        assert service.store.committed is before
    assert (await service.import_csv(text, COMPLETE, dry_run=True)).deactivated == 3
    report = await service.import_csv(text, ImportOptions(is_complete=True, confirmed=3))
    assert (report.deactivated, report.created) == (3, 1)


async def test_an_empty_complete_list_is_braked(service: Service) -> None:
    await service.import_csv(_people(3))
    with pytest.raises(TooManyDeactivations):
        await service.import_csv(HEADER, COMPLETE)


async def test_nobody_is_deactivated_while_a_row_is_bad(service: Service) -> None:
    await service.import_csv(_people(20))
    report = await service.import_csv(_people(19).replace("p3@", "p3"), COMPLETE)
    assert (report.failed, report.deactivated) == (1, 0)
    assert len(await names(service)) == 20


async def test_somebody_in_a_complete_list_by_either_key_stays(service: Service) -> None:
    await service.import_csv(HEADER + ADA + BOB)
    report = await service.import_csv(HEADER + ADA.replace("ada@", "new@") + BOB.replace("E2", ""), COMPLETE)
    assert (report.deactivated, report.updated, report.unchanged) == (0, 1, 1)


async def test_the_problems_that_are_listed_are_bounded_and_all_are_counted(service: Service) -> None:
    rows = "".join(f",P,L,p{number}@example.com,UTC,1904-05-05\n" for number in range(1500))
    bad = "".join(f",P,L,b{number},UTC,\n" for number in range(1500))
    report = await service.import_csv(
        HEADER + "".join(itertools.chain(*zip(rows.splitlines(True), bad.splitlines(True), strict=True)))
    )
    assert (report.created, report.failed, report.warned) == (1500, 1500, 1500)
    assert (len(report.errors), len(report.warnings)) == (1000, 1000)
    assert report.errors[-1].line == 2001

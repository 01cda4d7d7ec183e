"""The steps of the features, in the words of those who use the service."""

from datetime import UTC, date, datetime, time, timedelta

import attrs
from pytest_bdd import given, scenarios, then, when

from domain.message import Reason, Status
from domain.occasion import Kind, LeapDayRule
from tests.features.words import Moment, end_of_day_everywhere, step
from tests.features.world import World

THAT_DAY = timedelta(hours=36)

scenarios("")


# Who lives where, and since when they are known


@given(step("{name:Name} was born on {born:Day} and lives in {city:City}"))
def somebody_born(world: World, name: str, born: date, city: str) -> None:
    world.register(name, birthday=born.isoformat(), timezone=city)


@given(step("{name:Name} was born on a 29 February and lives in {city:City}"))
def somebody_born_in_a_year_unknown(world: World, name: str, city: str) -> None:
    world.register(name, birthday="--02-29", timezone=city)


@given(step("{name:Name} started to work on {hired:Day} and lives in {city:City}"))
def somebody_hired(world: World, name: str, hired: date, city: str) -> None:
    world.register(name, anniversary=hired.isoformat(), timezone=city)


@given(step("{name:Name} also started to work on {hired:Day}"))
def also_hired(world: World, name: str, hired: date) -> None:
    world.change(name, anniversary=hired.isoformat())


@given(step("{name:Name}, who lives in {city:City}, has told no birthday"))
def somebody_without_a_birthday(world: World, name: str, city: str) -> None:
    world.register(name, timezone=city)


@given(step("{name:Name} keeps 29 February {rule:Rule}"))
@when(step("{name:Name} chooses to keep 29 February {rule:Rule}"))
def somebody_chooses_a_rule(world: World, name: str, rule: LeapDayRule) -> None:
    world.change(name, leap_day_rule=rule.value)


@given(step("{name:Name} wants no {kind:Kind} messages"))
@when(step("{name:Name} wants no {kind:Kind} messages"))
def somebody_wants_none(world: World, name: str, kind: Kind) -> None:
    world.change(name, opted_out=kind.value)


@when(step("{name:Name} wants all messages again"))
def somebody_wants_all(world: World, name: str) -> None:
    world.change(name, opted_out=None)


@when(step("{name:Name} stands in a file that is imported, with another name"))
def somebody_stands_in_a_file(world: World, name: str) -> None:
    world.import_file(f"email,first_name\n{name.lower()}@example.com,Another\n")


# The house and its post office


@given(step("messages go out at {send_time:Time}"))
def another_send_time(world: World, send_time: time) -> None:
    world.policy = attrs.evolve(world.policy, send_time=send_time)


@given(step("29 February is kept {rule:Rule}"))
def another_rule_of_the_house(world: World, rule: LeapDayRule) -> None:
    world.policy = attrs.evolve(world.policy, leap_day_rule=rule)


@given("nobody can be reached")
def nobody_can_be_reached(world: World) -> None:
    world.channel.fail_for_now()


@when("everybody can be reached again")
def everybody_can_be_reached_again(world: World) -> None:
    world.channel.recover()


@given("the post office does not recognise a repeat")
def repeats_are_delivered(world: World) -> None:
    world.channel.deduplicates = False


# Time goes by


@given(step("it is {moment:Moment}"))
@when(step("it becomes {moment:Moment}"))
def it_is(world: World, moment: Moment) -> None:
    world.live_until(moment.instant)


@when(step("{on:Day} passes everywhere"))
def a_day_passes(world: World, on: date) -> None:
    world.live_until(end_of_day_everywhere(on))


@when(step("the end of February {year:d} passes"))
def february_passes(world: World, year: int) -> None:
    world.live_until(datetime(year, 2, 26, tzinfo=UTC))
    world.live_until(end_of_day_everywhere(date(year, 3, 2)))


# The service


@given(step("the service stops at {moment:Moment}"))
def the_service_stops_at(world: World, moment: Moment) -> None:
    world.live_until(moment.instant)
    world.is_running = False


@when("the service stops")
def the_service_stops(world: World) -> None:
    world.is_running = False


@when("the service starts again")
def the_service_starts(world: World) -> None:
    world.start()


@when(step("it becomes {moment:Moment}, with two services at work"))
def two_services_at_work(world: World, moment: Moment) -> None:
    world.live_until(moment.instant - timedelta(seconds=1))
    world.is_running = False
    world.live_until(moment.instant)
    world.send_twice_at_once()


@given(step("the service is killed while it sends at {moment:Moment}"))
def the_service_is_killed(world: World, moment: Moment) -> None:
    world.live_until(moment.instant - timedelta(seconds=1))
    world.is_running = False
    world.live_until(moment.instant)
    world.be_killed_while_sending()


@when(step("the plan is made {times:d} more times"))
def the_plan_is_made_again(world: World, times: int) -> None:
    for _ in range(times):
        world.plan()


@given(step("an operator has planned until {until:Day}"))
@when(step("an operator plans until {until:Day}"))
def an_operator_plans(world: World, until: date) -> None:
    world.plan(until)


@when(step("an operator sends the message of {on:Day} to {name:Name} after all"))
def an_operator_sends(world: World, on: date, name: str) -> None:
    world.send_after_all(name, Kind.BIRTHDAY, on)


# What people do


@given(step("{name:Name} has moved to {city:City}"))
@when(step("{name:Name} moves to {city:City}"))
def somebody_moves(world: World, name: str, city: str) -> None:
    world.change(name, timezone=city)


@given(step("{name:Name}'s birthday has been corrected to {born:Day}"))
@when(step("{name:Name}'s birthday is corrected to {born:Day}"))
def a_birthday_is_corrected(world: World, name: str, born: date) -> None:
    world.change(name, birthday=born.isoformat())


@when(step("{name:Name} changes her name to {other:Name}"))
def somebody_changes_her_name(world: World, name: str, other: str) -> None:
    world.change(name, first_name=other)


@given(step("{name:Name} has left"))
@when(step("{name:Name} leaves"))
def somebody_leaves(world: World, name: str) -> None:
    world.leave(name)


@when(step("{name:Name} asks to be forgotten"))
def somebody_asks_to_be_forgotten(world: World, name: str) -> None:
    world.leave(name, erase=True)


@when(step("{name:Name}, born on {born:Day}, registers from {city:City}"))
def somebody_registers(world: World, name: str, born: date, city: str) -> None:
    world.register(name, birthday=born.isoformat(), timezone=city)


@when(step("{name:Name} registers again"))
def somebody_returns(world: World, name: str) -> None:
    world.register(name, birthday="1990-03-14", timezone="Asia/Jakarta")


@when(step("{name:Name} registers again, now from {city:City}"))
def somebody_returns_from_elsewhere(world: World, name: str, city: str) -> None:
    world.register(name, birthday="1990-03-14", timezone=city)


# What they got


@then(step("{name:Name} got {count:d} {kind:Kind} message, at {moment:Moment}"))
@then(step("{name:Name} got {count:d} {kind:Kind} message, the first time it was {moment:Moment}"))
def somebody_got(world: World, name: str, count: int, kind: Kind, moment: Moment) -> None:
    world.read = world.letters(name, kind)
    assert len(world.read) == count
    sent = [view.sent_at for view in world.ledger(name) if view.kind == kind and view.status == Status.SENT]
    assert sent == [moment.instant] * count


@then(step("{name:Name} gets {count:d} {kind:Kind} message that day, at {moment:Moment}"))
def somebody_gets_that_day(world: World, name: str, count: int, kind: Kind, moment: Moment) -> None:
    world.live_until(world.now + THAT_DAY)
    somebody_got(world, name, count, kind, moment)


@then(step("{name:Name} gets {count:d} {kind:Kind} message by {until:Day}, at {moment:Moment}"))
def somebody_gets_by(world: World, name: str, *, count: int, kind: Kind, until: date, moment: Moment) -> None:
    world.live_until(end_of_day_everywhere(until))
    somebody_got(world, name, count, kind, moment)


@then(step("{name:Name} has got {count:d} {kind:Kind} message"))
@then(step("{name:Name} has got {count:d} {kind:Kind} messages"))
def somebody_has_got(world: World, name: str, count: int, kind: Kind) -> None:
    assert len(world.letters(name, kind)) == count


@then(step("{name:Name} got no message"))
def somebody_got_nothing(world: World, name: str) -> None:
    assert world.letters(name) == []


@then(step("{name:Name} gets no message that day"))
def somebody_gets_nothing_that_day(world: World, name: str) -> None:
    world.live_until(world.now + THAT_DAY)
    assert world.letters(name) == []


@then(step("it says {years:d} year"))
@then(step("it says {years:d} years"))
def it_says(world: World, years: int) -> None:
    assert [letter.years for letter in world.read] == [years]


@then("it says no number of years")
def it_says_no_number(world: World) -> None:
    assert [letter.years for letter in world.read] == [None]


@then(step("the messages left in the order {first:Name}, {second:Name}, {third:Name}"))
def the_order(world: World, first: str, second: str, third: str) -> None:
    expected = [world.people[name] for name in (first, second, third)]
    assert [letter.key.user_id for letter in world.channel.reached] == expected


# What can be seen of it


@then(step("{name:Name}'s {kind:Kind} message is due at {moment:Moment}"))
def it_is_due(world: World, name: str, kind: Kind, moment: Moment) -> None:
    assert [view.due_at for view in world.ledger(name) if view.kind == kind] == [moment.instant]


@then(step("{name:Name} is told that the next message comes at {moment:Moment}"))
def the_next_message(world: World, name: str, moment: Moment) -> None:
    assert world.upcoming(name)[0].due_at == moment.instant


@then(step("{name:Name}'s {kind:Kind} message of {on:Day} is {fate:Fate}"))
def its_fate(world: World, name: str, kind: Kind, on: date, fate: tuple[Status, Reason]) -> None:
    message = world.message(name, kind, on)
    assert (message.status, message.reason) == fate


@then(step("nobody knows whether {name:Name}'s {kind:Kind} message of {on:Day} arrived"))
def nobody_knows(world: World, name: str, kind: Kind, on: date) -> None:
    assert world.message(name, kind, on).status == Status.UNKNOWN


@then(step("nothing is known of {name:Name}"))
def nothing_is_known(world: World, name: str) -> None:
    assert world.is_unknown(name)

"""The channel to a webhook, against an HTTP server, over TLS."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpcore
import pytest
from structlog.testing import capture_logs

from adapters.delivery.batch import UNTRIED
from adapters.delivery.guarded_network import Resolve
from adapters.delivery.webhook import Receiver, WebhookChannel
from adapters.delivery.webhook_request import headers as signed_headers
from application.deliveries import FailedForGood, FailedForNow, Outcome, Recipient, Sent
from domain.message import MessageKey
from tests.architecture.pages import blocks
from tests.architecture.sources import PROJECT
from tests.contract.channel import ChannelContract, Reached, delivery
from tests.delivery.certificates import certified, trusting
from tests.delivery.web_server import Answer, Inbox, Post, hanging_up, web_server
from tests.delivery.words import WRITE

pytestmark = pytest.mark.slow  # together they are

GUIDE = PROJECT / "docs" / "api.md"
SECRET, NEXT_SECRET = b"s" * 24, b"n" * 32
NOW = datetime(2027, 3, 14, 8, 0, 1, tzinfo=UTC)
IN_A_MINUTE, HALF_A_MINUTE = timedelta(seconds=60), timedelta(seconds=30)


def channel_to(
    url: str,
    *,
    secrets: Sequence[bytes] = (SECRET,),
    connections: int = 2,
    message_s: float = 5.0,
    resolve: Resolve | None = None,
    allows_private: bool = True,
) -> WebhookChannel:
    return WebhookChannel(
        Receiver(url=url, secrets=secrets, allows_private=allows_private),
        WRITE,
        lambda: NOW,
        connections=connections,
        message_s=message_s,
        trusted=trusting(),
        resolve=resolve,
    )


def is_pause(outcome: Outcome) -> bool:
    """Tell whether the whole channel waits; such an attempt does not count."""
    return isinstance(outcome, FailedForNow) and bool(outcome.retry_after)


def verified(post: Post, secret: bytes) -> bool:
    """Check a signature as a receiver does, by the specification's own words."""
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in post.headers["webhook-signature"].split(" ")


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with web_server() as inbox:
        yield inbox


@pytest.fixture
async def channel(inbox: Inbox) -> AsyncIterator[WebhookChannel]:
    channel = channel_to(inbox.url)
    yield channel
    await channel.close()


class TestWebhook(ChannelContract):
    @pytest.fixture
    def reached(self, inbox: Inbox) -> Reached:
        async def addresses() -> list[str]:
            return [post.data["email"] for post in inbox.accepted.values()]

        return addresses


async def test_a_message_is_posted_signed_and_under_its_key(channel: WebhookChannel, inbox: Inbox) -> None:
    one = delivery(recipient=Recipient("Zoë", "李", "zoë@exämple.com"), years=21)
    assert await channel.send_many([one]) == [Sent()]
    [post] = inbox.posts
    assert post.path == "/hooks/birthdays"
    assert post.headers["idempotency-key"] == f'"{one.key}"'
    assert post.headers["webhook-id"] == str(one.key)
    assert post.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert post.headers["content-type"] == "application/json"
    assert verified(post, SECRET)
    assert not verified(attrs.evolve(post, body=post.body + b" "), SECRET)
    assert post.data == {
        "key": str(one.key),
        "kind": "BIRTHDAY",
        "occasionDate": one.key.occasion_on.isoformat(),
        "years": 21,
        "firstName": "Zoë",
        "lastName": "李",
        "unsubscribeUrl": None,
        "email": "zoë@exämple.com",
        "subject": "Happy birthday, Zoë!",
        "text": "Dear Zoë,\n\nhappy 21st birthday! All the best for the year ahead.\n",
        "html": None,
    }


def test_the_signature_is_that_of_the_specification() -> None:
    """The example that the reference libraries of Standard Webhooks are tested with."""
    told = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        [base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        datetime.fromtimestamp(1614265330, UTC),
    )
    assert told["Webhook-Signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def shown(language: str) -> str:
    [found] = [block.text for block in blocks(GUIDE) if (block.language, block.mark) == (language, "webhook")]
    return found


async def test_the_guide_shows_what_is_posted(channel: WebhookChannel, inbox: Inbox) -> None:
    told = json.loads(shown("json"))
    key = MessageKey.parse(told["data"]["key"])
    due_at = datetime.fromisoformat(told["timestamp"])
    one = delivery(recipient=Recipient("Ada", "Lovelace", "ada@example.com"), years=37)
    await channel.send_many([one._replace(key=key, due_at=due_at)])
    assert json.loads(inbox.posts[0].body) == told


@pytest.mark.parametrize(
    ("secret", "body", "is_good"),
    ((SECRET, b"{}", True), (NEXT_SECRET, b"{}", False), (SECRET, b"{ }", False)),
)
def test_the_guide_shows_how_a_signature_is_checked(secret: bytes, body: bytes, *, is_good: bool) -> None:
    names: dict[str, Any] = {}
    exec(shown("python"), names)  # noqa: S102  # it is the project's own page
    told = signed_headers("key", b"{}", [b"x" * 24, SECRET], datetime.now(UTC))
    headers = {name.lower(): value for name, value in told.items()}
    written = f"whsec_{base64.b64encode(secret).decode()}"
    assert names["is_ours"](written, headers, body) is is_good
    assert not names["is_ours"](written, headers | {"webhook-timestamp": "1614265330"}, body)


async def test_while_one_secret_follows_another_both_sign(inbox: Inbox) -> None:
    channel = channel_to(inbox.url, secrets=[SECRET, NEXT_SECRET])
    await channel.send_many([delivery()])
    await channel.close()
    assert verified(inbox.posts[0], SECRET)
    assert verified(inbox.posts[0], NEXT_SECRET)


async def test_every_attempt_says_the_same(channel: WebhookChannel, inbox: Inbox) -> None:
    one = delivery()
    await channel.send_many([one])
    await channel.send_many([one._replace(fence=2, attempt=2)])
    first, second = inbox.posts
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_connections_are_few_and_stay_open(channel: WebhookChannel, inbox: Inbox) -> None:
    inbox.say(200, b"thank you")
    for _ in range(2):
        assert await channel.send_many([delivery() for _ in range(20)]) == [Sent()] * 20
    assert inbox.connections == 2


async def test_a_connection_that_a_cancelled_request_has_left_behind_is_not_waited_for_again(
    inbox: Inbox,
) -> None:
    channel = channel_to(inbox.url, connections=1, message_s=1)
    url = httpcore.URL(inbox.url)
    # As httpcore leaves it: assigned to a request that was cancelled before it could connect.
    left = channel._pool.create_connection(url.origin)
    channel._pool._connections.append(left)
    try:
        assert await channel.send_many([delivery()]) == [UNTRIED]
        assert await channel.send_many([delivery()]) == [Sent()]
    finally:
        await channel.close()


async def test_a_long_answer_is_not_read_to_its_end(channel: WebhookChannel, inbox: Inbox) -> None:
    inbox.say(200, b"x" * 10_000_000)
    assert await channel.send_many([delivery() for _ in range(6)]) == [Sent()] * 6
    assert inbox.connections == 6


@pytest.mark.parametrize("status", (200, 201, 202, 204))
async def test_any_2xx_accepts(channel: WebhookChannel, inbox: Inbox, status: int) -> None:
    inbox.say(status)
    assert await channel.send_many([delivery()]) == [Sent()]


@pytest.mark.parametrize("status", (400, 402, 404, 405, 410, 413, 415, 422, 451))
async def test_what_is_wrong_with_the_message_is_for_good(
    channel: WebhookChannel, inbox: Inbox, status: int
) -> None:
    inbox.say(status)
    outcomes = await channel.send_many([delivery() for _ in range(5)])
    assert outcomes == [FailedForGood(f"The webhook answered {status}.")] * 5
    assert len(inbox.posts) == 5


@pytest.mark.parametrize(
    ("status", "may_have_arrived"),
    ((408, False), (409, True), (425, False), (500, False), (501, False), (502, True), (504, True)),
)
async def test_what_may_pass_is_tried_again(
    channel: WebhookChannel, inbox: Inbox, status: int, *, may_have_arrived: bool
) -> None:
    inbox.say(status)
    outcomes = await channel.send_many([delivery() for _ in range(5)])
    expected = FailedForNow(f"The webhook answered {status}.", may_have_arrived=may_have_arrived)
    assert outcomes == [expected] * 5


@pytest.mark.parametrize(
    ("status", "retry_after", "pause"),
    (
        (429, "120", timedelta(seconds=120)),
        (503, "Sun, 14 Mar 2027 08:05:01 GMT", timedelta(minutes=5)),
        (503, "Sunday, 14-Mar-27 08:05:01 GMT", timedelta(minutes=5)),
        (429, "Sun, 14 Mar 2027 07:00:00 GMT", timedelta(seconds=1)),
        (429, "0", timedelta(seconds=1)),
        (503, "999999999", timedelta(days=1)),
        (503, "99999999999999999999", IN_A_MINUTE),
        (429, "soon", IN_A_MINUTE),
        (429, "-5", IN_A_MINUTE),
        (429, "Sun, 14 Mar 99999999999999999999 08:05:01 GMT", IN_A_MINUTE),
        (503, "Sun, 14 Mar 2027 08:05:01 +99999999999999", IN_A_MINUTE),
        (503, None, IN_A_MINUTE),
        (401, None, HALF_A_MINUTE),
        (403, None, HALF_A_MINUTE),
        (304, None, HALF_A_MINUTE),
    ),
)
async def test_a_receiver_that_is_busy_or_refuses_us_is_left_alone(
    inbox: Inbox, status: int, retry_after: str | None, pause: timedelta
) -> None:
    told = {} if retry_after is None else {"retry-after": retry_after}
    inbox.answer = lambda _post: Answer(status, told)
    channel = channel_to(inbox.url, connections=1)
    outcomes = await channel.send_many([delivery() for _ in range(5)])
    await channel.close()
    said = f"The webhook answered {status}."
    assert outcomes == [FailedForNow(said, pause), *[FailedForNow(said, timedelta(0))] * 4]
    assert len(inbox.posts) == 1


@pytest.mark.parametrize("status", (301, 302, 307, 308))
async def test_redirects_are_not_followed(channel: WebhookChannel, inbox: Inbox, status: int) -> None:
    inbox.say(status, location=inbox.url)
    [outcome] = await channel.send_many([delivery()])
    assert is_pause(outcome)
    assert len(inbox.posts) == 1


class TestAConnectionThatBreaks:
    @pytest.mark.parametrize("answer", (None, b"HTTP/1.1 2", b"not HTTP at all\r\n\r\n"))
    async def test_after_the_request_nobody_knows(self, answer: bytes | None) -> None:
        async with hanging_up(answer) as port:
            channel = channel_to(f"https://localhost:{port}/")
            [outcome] = await channel.send_many([delivery()])
            await channel.close()
            assert isinstance(outcome, FailedForNow)
            assert outcome.may_have_arrived
            assert not is_pause(outcome)

    async def test_after_the_status_that_counts(self) -> None:
        async with hanging_up(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx") as port:
            channel = channel_to(f"https://localhost:{port}/")
            assert await channel.send_many([delivery()]) == [Sent()]
            await channel.close()

    async def test_a_receiver_that_is_slow_does_not_hold_up_the_batch(self, inbox: Inbox) -> None:
        inbox.late_s = 4
        channel = channel_to(inbox.url, message_s=1)
        outcomes = await asyncio.wait_for(channel.send_many([delivery() for _ in range(20)]), 3)
        await channel.close()
        failed = [one for one in outcomes if isinstance(one, FailedForNow)]
        assert len([one for one in failed if one.may_have_arrived]) == 2
        assert len([one for one in failed if one.retry_after == timedelta(0)]) == 18

    async def test_a_batch_that_waits_for_the_connections_of_another_does_not_pause_the_channel(
        self, inbox: Inbox
    ) -> None:
        inbox.late_s = 4
        channel = channel_to(inbox.url, message_s=1, connections=1)
        begun, waiting = await asyncio.gather(
            channel.send_many([delivery()]), channel.send_many([delivery()])
        )
        await channel.close()
        assert [one.may_have_arrived for one in begun if isinstance(one, FailedForNow)] == [True]
        assert [one.retry_after for one in waiting if isinstance(one, FailedForNow)] == [timedelta(0)]


class TestAReceiverThatCannotBeReached:
    async def everybody_waits(self, channel: WebhookChannel) -> str:
        outcomes = await channel.send_many([delivery() for _ in range(3)])
        await channel.close()
        assert all(is_pause(outcome) for outcome in outcomes)
        [reason] = {outcome.reason for outcome in outcomes if isinstance(outcome, FailedForNow)}
        return reason

    async def test_since_it_is_not_there(self, unused_tcp_port: int) -> None:
        reason = await self.everybody_waits(channel_to(f"https://localhost:{unused_tcp_port}/"))
        assert reason == "The webhook cannot be reached (ConnectionRefusedError)."

    async def test_since_its_name_is_not_known(self) -> None:
        async def nothing(_host: str, _port: int) -> Sequence[str]:
            raise OSError

        await self.everybody_waits(channel_to("https://localhost/", resolve=nothing))

    async def test_since_no_name_is_written_so(self) -> None:
        """Whoever looks names up says so by another error."""
        await self.everybody_waits(channel_to("https://hooks..example.com/"))

    async def test_since_nobody_we_know_certifies_it(self) -> None:
        async with web_server(certified("localhost", "unknown")) as inbox:
            assert "SSLCertVerificationError" in await self.everybody_waits(channel_to(inbox.url))
            assert inbox.posts == []

    async def test_since_it_is_certified_for_somebody_else(self) -> None:
        async with web_server(certified("elsewhere.example")) as inbox:
            await self.everybody_waits(channel_to(inbox.url))
            assert inbox.posts == []

    async def test_since_its_name_leads_into_our_own_network(self, inbox: Inbox) -> None:
        reason = await self.everybody_waits(channel_to(inbox.url, allows_private=False))
        assert "private" in reason
        assert inbox.posts == []


async def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to() -> None:
    """A name that leads elsewhere the second time leads nowhere: there is no second time."""
    asked = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["203.0.113.1"]

    async with web_server(certified("hooks.example")) as inbox:
        channel = channel_to(f"https://hooks.example:{inbox.port}/", connections=1, resolve=resolve)
        assert await channel.send_many([delivery() for _ in range(3)]) == [Sent()] * 3
        await channel.close()
        assert {post.headers["host"] for post in inbox.posts} == {f"hooks.example:{inbox.port}"}
        assert asked == ["hooks.example"]


async def test_a_dead_address_is_passed_over(inbox: Inbox) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]  # the server listens on the second alone

    channel = channel_to(inbox.url, resolve=resolve)
    assert await channel.send_many([delivery()]) == [Sent()]
    await channel.close()


async def test_what_is_logged_names_nobody(channel: WebhookChannel, inbox: Inbox) -> None:
    inbox.say(503, b"zoe@example.com is not known", retry_after="7")
    with capture_logs() as lines:
        await channel.send_many([delivery(recipient=Recipient("Zoe", "Z", "zoe@example.com"))])
    assert {line["event"] for line in lines} == {"channel_paused", "deliveries_failed"}
    assert "zoe" not in str(lines).lower()


def test_a_secret_is_not_shown() -> None:
    assert "ssss" not in repr(Receiver(url="https://x.example", secrets=[SECRET]))


async def test_what_keeps_us_from_a_webhook_is_told_without_a_post(inbox: Inbox) -> None:
    assert await channel_to(inbox.url, allows_private=False).trouble() == (
        "The webhook's host has private addresses only, and they are not allowed."
    )
    assert "cannot be reached" in (await channel_to("https://localhost:1/x").trouble() or "")
    assert inbox.posts == []


async def test_a_trial_is_of_a_type_of_its_own(channel: WebhookChannel, inbox: Inbox) -> None:
    await channel.send_many([delivery(is_trial=True)])
    [post] = inbox.posts
    assert json.loads(post.body)["type"] == "message.test"
    assert post.data["subject"].startswith("[Test] Happy birthday")

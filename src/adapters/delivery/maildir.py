"""Messages are delivered into a Maildir, which mail programs open."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog

from adapters.delivery.mail import MailUnwritable, mail_of
from application.deliveries import Delivery, DeliveryChannel, FailedForGood, FailedForNow, Outcome, Sent
from application.texts import Text, TextUnwritable

log = structlog.get_logger()


class MaildirChannel(DeliveryChannel):
    """A file per message, named by its key: delivered again under the same key, it is there once.

    The Maildir way (tmp, flush to disk, link into new) makes a message appear whole or not at all. Mail
    programs move what they have shown from new to cur and append flags to the name; both are looked at.
    """

    __slots__ = ("_folder", "_sender", "_write")

    name = "maildir"
    deduplicates = True
    reaches_people = False
    batch_size = 100

    def __init__(self, folder: Path, sender: str, write: Callable[[Delivery], Text]) -> None:
        self._folder = folder
        self._sender = sender
        self._write = write

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        # A thread, and to its end even if the caller is cancelled: half a batch may be written, never half a file.
        return await asyncio.shield(asyncio.to_thread(self._deliver_all, deliveries))

    async def trouble(self) -> str | None:
        return await asyncio.to_thread(self._trouble)

    async def close(self) -> None:
        """Nothing is open."""

    def _trouble(self) -> str | None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder):
                return None
        except OSError:
            return "The Maildir cannot be written."

    def _deliver_all(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        try:
            for name in ("tmp", "new", "cur"):
                (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            known = self._delivered_before(deliveries)
            outcomes = [
                Sent() if str(delivery.key) in known else self._deliver(delivery) for delivery in deliveries
            ]
            self._flush_folder("new")
        except OSError as error:
            log.warning("maildir_unwritable", error=error.strerror)
            return [FailedForNow("The Maildir cannot be written.")] * len(deliveries)
        return outcomes

    def _delivered_before(self, deliveries: Sequence[Delivery]) -> set[str]:
        """Return the keys among *deliveries* that lie in the Maildir; what is claimed for the first time cannot."""
        repeated = {str(delivery.key) for delivery in deliveries if delivery.fence > 1}
        if not repeated:
            return set()
        return repeated.intersection(self._names())

    def _names(self) -> Iterator[str]:
        for name in ("new", "cur"):
            with os.scandir(self._folder / name) as entries:
                for entry in entries:
                    yield entry.name.partition(":")[0]

    def _deliver(self, delivery: Delivery) -> Outcome:
        try:
            mail = mail_of(delivery, self._write(delivery), self._sender).content
        except (MailUnwritable, TextUnwritable) as error:
            return FailedForGood(type(error).__doc__ or "")
        name = str(delivery.key)
        temporary = self._folder / "tmp" / f"{name}.{os.getpid()}.{delivery.fence}"
        with temporary.open("wb") as file:
            file.write(mail.as_bytes())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, self._folder / "new" / name)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
        return Sent()

    def _flush_folder(self, name: str) -> None:
        descriptor = os.open(self._folder / name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

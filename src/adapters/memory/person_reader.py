"""One person in full, in memory."""

from collections.abc import Mapping
from typing import Any

import attrs

from adapters.memory.store import MemoryStore
from application.import_ports import ImportChange
from application.personal_export import Held, PersonReader
from application.views import MessageView
from domain.user import UserId


class MemoryPersonReader(PersonReader):
    """The committed state."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def all_held_of(self, user_id: UserId) -> Held | None:
        state = self._store.committed
        user = state.users.get(user_id)
        if user is None:
            return None
        return Held(
            user,
            [MessageView.of(one) for key, one in sorted(state.messages.items()) if key.user_id == user_id],
            [
                {"id": str(key[0]), "beganAt": state.imports[key[0]], "before": _told(change)}
                for key, change in sorted(state.import_changes.items())
                if key[1] == user_id
            ],
            sum(
                one.answer is not None and user_id in one.answer.about for one in self._store.answers.values()
            ),
        )


def _told(change: ImportChange) -> Mapping[str, Any] | None:
    if change.before is None:
        return None
    told = attrs.asdict(change.before, recurse=False)
    return {name: None if value is None else str(value) for name, value in told.items()}

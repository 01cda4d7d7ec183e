"""Path parameters: what cannot be an id or a key names nothing, and is answered like any unknown one."""

from uuid import UUID

from application.errors import MessageNotFound, UserNotFound
from domain.errors import InvalidField
from domain.message import MessageKey
from domain.user import UserId


def user_id_of(text: str) -> UserId:
    try:
        parsed = UUID(text)
    except ValueError:
        raise UserNotFound from None
    if str(parsed) != text.lower():
        raise UserNotFound
    return UserId(parsed)


def key_of(text: str) -> MessageKey:
    try:
        return MessageKey.parse(text)
    except InvalidField:
        raise MessageNotFound from None

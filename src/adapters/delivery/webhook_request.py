"""What is posted to a webhook: the message, signed as Standard Webhooks has it."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version

import msgspec

from application.deliveries import Delivery
from application.texts import Text

_AGENT = f"birthdays/{version('birthdays')}"


def payload(delivery: Delivery, text: Text) -> bytes:
    return msgspec.json.encode(
        {
            "type": f"message.{'test' if delivery.is_trial else delivery.key.kind.lower()}",
            "timestamp": delivery.due_at,
            "data": {
                "key": str(delivery.key),
                "kind": delivery.key.kind,
                "occasionDate": delivery.key.occasion_on,
                "years": delivery.years,
                "firstName": delivery.recipient.first_name,
                "lastName": delivery.recipient.last_name,
                "email": delivery.recipient.email,
                "subject": text.subject,
                "text": text.body,
                "html": text.html,
            },
        }
    )


def headers(key: str, body: bytes, secrets: Sequence[bytes], now: datetime) -> Mapping[str, str]:
    """Return the headers of an attempt at *now*: the same key every time, signed anew with each secret."""
    timestamp = str(int(now.timestamp()))
    signatures = (_signature(secret, key, timestamp, body) for secret in secrets)
    return {
        "Content-Type": "application/json",
        "User-Agent": _AGENT,
        "Idempotency-Key": f'"{key}"',
        "Webhook-Id": key,
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": " ".join(signatures),
    }


def _signature(secret: bytes, key: str, timestamp: str, body: bytes) -> str:
    signed = hmac.digest(secret, f"{key}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"

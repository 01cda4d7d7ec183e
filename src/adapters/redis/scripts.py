"""The scripts that run on the server, each a whole step of the protocol.

All keys of a script are told as such and lie in one slot, so that they run on a Cluster as well. MGET is
used to read a key that may hold anything: it tells nothing of what is no string, where GET is an error.

Here and elsewhere nothing is asked of the server that is younger than Redis 4.0: DEL, EVAL and EVALSHA,
EXISTS, GETRANGE, INFO, MGET, SCAN with MATCH and COUNT, SET with PX, NX and XX, SETRANGE, UNLINK.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import attrs
from redis.exceptions import NoScriptError

from adapters.redis.client import Asking

Argument = bytes | str | int


@attrs.frozen
class Script:
    """A script, sent by its hash where the server knows it already."""

    text: str
    sha: str = attrs.field(init=False)

    @sha.default
    def _(self) -> str:
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Asking, keys: Sequence[bytes], *arguments: Argument) -> Any:
        """Return what the script does. A server that has forgotten it, or never knew it, is told again."""
        try:
            return await client.execute_command("EVALSHA", self.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await client.execute_command("EVAL", self.text, len(keys), *keys, *arguments)

    async def decide(self, client: Asking, keys: Sequence[bytes], *arguments: Argument) -> bool:
        """Return what a script does that answers 1 or 0. Raises TypeError for anything else."""
        return one_or_zero(await self.run(client, keys, *arguments))


def one_or_zero(reply: object) -> bool:
    if reply not in (0, 1):
        raise TypeError("neither 1 nor 0")
    return bool(reply)


FOLLOW = Script(
    """
    -- the watermark, a reference; the beginning of the name of what it leads to, which is in the same slot
    local found = redis.call('MGET', KEYS[1], KEYS[2])
    local held = found[2]
    local leads_to = false
    if held and string.sub(held, 1, 2) == '\\1E' and #held >= 68 then
        leads_to = redis.call('MGET', ARGV[1] .. string.sub(held, -36))[1]
    end
    return {found[1], held, leads_to}
    """
)

TAKE_LEASE = Script(
    """
    -- a key; the token, the lease, its lifetime in ms, 1 where it may stand over what is there
    local held = redis.call('MGET', KEYS[1])[1]
    if held and string.sub(held, 3, 18) == ARGV[1] then
        return 1
    end
    if held and ARGV[4] ~= '1' then
        return 0
    end
    if held and string.sub(held, 1, 2) == '\\1E' and #held >= 32 then
        redis.call('SETRANGE', KEYS[1], 2, ARGV[1])
    else
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    end
    return 1
    """
)

FILL = Script(
    """
    -- a key; the token, the value, its lifetime in ms
    local held = redis.call('MGET', KEYS[1])[1]
    if not held or string.sub(held, 3, 18) ~= ARGV[1] then
        return 0
    end
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    return 1
    """
)

SWEEP = Script(
    """
    -- the watermark and keys; the base, the batch, and the versions as eight bytes each
    local stands = redis.call('MGET', KEYS[1])[1]
    local watermark = stands and string.find(stands, '^%d+$') and tonumber(stands)
    local batch = tonumber(ARGV[2])
    if not watermark or watermark < tonumber(ARGV[1]) or watermark >= batch then
        return {1, stands}
    end
    -- After a first write, a server whose memory is full lets a script go on; and deleting is always allowed.
    redis.call('DEL', KEYS[1])
    for i = 2, #KEYS do
        local head = redis.pcall('GETRANGE', KEYS[i], 0, 31)
        local keeps = false
        if type(head) == 'string' and #head == 32 and string.sub(head, 1, 2) == '\\1E' then
            -- as two halves: a number of Lua holds 53 bits
            local high, low = struct.unpack('>I4I4', string.sub(head, 23, 30))
            local new_high, new_low = struct.unpack('>I4I4', ARGV[i + 1])
            keeps = (new_high > 0 or new_low > 0)
                and (high > new_high or (high == new_high and low >= new_low))
        end
        if not keeps then
            redis.call('UNLINK', KEYS[i])
        elseif string.sub(head, 3, 18) ~= string.rep('\\0', 16) then
            redis.call('SETRANGE', KEYS[i], 2, string.rep('\\0', 16))
        end
    end
    redis.call('SET', KEYS[1], ARGV[2])
    return {0, ARGV[2]}
    """
)

BEGIN = Script(
    """
    -- the watermark; the batch that it begins with
    if redis.call('EXISTS', KEYS[1]) == 0 then
        redis.call('DEL', KEYS[1])  -- as in a sweep: for a server whose memory is full
        redis.call('SET', KEYS[1], ARGV[1])
    end
    return 1
    """
)

REMOVE_IF_UNCHANGED = Script(
    """
    -- a key; the hash of what it held
    local held = redis.call('MGET', KEYS[1])[1]
    if held and redis.sha1hex(held) == ARGV[1] then
        return redis.call('UNLINK', KEYS[1])
    end
    return 0
    """
)

"""Who is measured beside whom: the service, and small applications that do the same as others would write them."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib import util

import attrs

from benchmarks.running import COMMAND, PROJECT

_FASTIFY = PROJECT / "benchmarks" / "peers" / "fastify"
_MANY = "100000000"
"""More than anybody asks for in a minute: limits are counted, and refuse nobody."""
LIMITS = {"BIRTHDAYS_LIMITS": ",".join(f"{kind}={_MANY}" for kind in ("read", "write", "admin"))}


@attrs.frozen(kw_only=True, eq=False)
class Rival:
    """A program that answers GET /users/{id}; *promises* says in words what else it does for that."""

    name: str
    what: str
    command: Sequence[str]
    settings: Mapping[str, str] = attrs.field(factory=dict)
    is_cached: bool = True
    is_ours: bool = False
    knows_people: bool = True
    packages: Sequence[str] = ()

    @property
    def missing(self) -> str:
        """Return what has to be installed before it can take part; empty if nothing has."""
        absent = [package for package in self.packages if util.find_spec(package) is None]
        if absent:
            return f"{', '.join(absent)} (the extra 'peers')"
        if not shutil.which(self.command[0]):
            return self.command[0]
        if self.command[0] == "node" and not (_FASTIFY / "node_modules").exists():
            return "npm's packages (npm ci in benchmarks/peers/fastify)"
        return ""


def _peer(name: str, what: str, *packages: str, is_cached: bool = True, knows_people: bool = True) -> Rival:
    return Rival(
        name=name,
        what=what,
        command=[sys.executable, "-m", f"benchmarks.peers.{name}_peer"],
        settings={"PEER_KEPT_S": "3600"},
        is_cached=is_cached,
        knows_people=knows_people,
        packages=packages,
    )


def _ours(name: str, what: str, *, is_cached: bool = True, **settings: str) -> Rival:
    return Rival(
        name=name,
        what=what,
        command=[str(COMMAND), "serve"],
        settings={**LIMITS, **settings},
        is_cached=is_cached,
        is_ours=True,
    )


LIMIT = _peer(
    "constant", "limit: a Litestar route that answers constant bytes", is_cached=False, knows_people=False
)
OURS = _ours("ours", "**ours**, with keys and limits")
OPEN = _ours("open", "ours, without keys (`BIRTHDAYS_AUTH=off`)", BIRTHDAYS_AUTH="off")
WITHOUT = _ours("without", "ours, without a cache", is_cached=False)
COPYING = attrs.evolve(
    _ours("copying", "ours, with copies in the process (a trial; may be stale for a second)"),
    command=[sys.executable, "-m", "benchmarks.peers.copying_trial", "serve"],
)
GRANIAN = attrs.evolve(
    _ours("granian", "ours on granian (a trial; no slow client is ended)"),
    command=[sys.executable, "-m", "benchmarks.peers.granian_trial", "serve"],
    packages=["granian"],
)
RIVALS: Sequence[Rival] = (
    LIMIT,
    OURS,
    OPEN,
    WITHOUT,
    COPYING,
    GRANIAN,
    _peer(
        "constant_granian",
        "the limit's route on granian",
        "granian",
        is_cached=False,
        knows_people=False,
    ),
    _peer("uncached", "Litestar and asyncpg, no cache", is_cached=False),
    _peer("plain", "Litestar and redis-py, cache aside by hand"),
    _peer("litestar", "Litestar's response cache"),
    _peer("aiocache", "FastAPI and aiocache", "fastapi", "aiocache"),
    _peer("cashews", "FastAPI and cashews", "fastapi", "cashews"),
    _peer("fastapi_cache", "FastAPI and fastapi-cache2", "fastapi", "fastapi_cache"),
    Rival(
        name="fastify",
        what="Fastify and ioredis (Node)",
        command=["node", str(_FASTIFY / "server.mjs")],
    ),
)

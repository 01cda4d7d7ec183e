"""TLS to PostgreSQL, said as libpq says it: ``sslmode`` and the files that go with it."""

import ssl
from collections.abc import Mapping

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
OPTIONS = frozenset({"sslmode", "ssl", "sslrootcert", "sslcert", "sslkey"})
"""``ssl`` is asyncpg's word for sslmode."""
_ENCRYPTED = MODES[MODES.index("require") :]


def tls_of(options: Mapping[str, str]) -> ssl.SSLContext | str | None:
    """Return what asyncpg takes for ``ssl``, None where nothing is said. Raises ValueError, whose text is a sentence.

    As with libpq, ``require`` looks at the certificate if it is told whom to believe. Other than there,
    ``verify-ca`` and ``verify-full`` believe the machine's own authorities if it is not.
    """
    mode = options.get("sslmode", options.get("ssl"))
    if mode is None and not OPTIONS & options.keys():
        return None
    if mode is None or mode not in MODES or {"sslmode", "ssl"} <= options.keys():
        raise ValueError(
            f"sslmode is one of {', '.join(MODES)}, given once, and goes with sslrootcert and the like."
        )
    if mode not in _ENCRYPTED:
        if OPTIONS & options.keys() - {"sslmode", "ssl"}:
            raise ValueError(f"certificates go with sslmode {', '.join(_ENCRYPTED)}.")
        return mode
    return _context(mode, options)


def _context(mode: str, options: Mapping[str, str]) -> ssl.SSLContext:
    authorities = options.get("sslrootcert")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    if mode == "require" and authorities is None:
        context.verify_mode = ssl.CERT_NONE
    try:
        if authorities not in {None, "system"}:
            context.load_verify_locations(authorities)
        elif context.verify_mode is not ssl.CERT_NONE:
            context.load_default_certs()
        if "sslcert" in options or "sslkey" in options:
            context.load_cert_chain(options["sslcert"], options.get("sslkey"), password=_no_password)
    except (OSError, KeyError, ValueError):  # OSError: ssl.SSLError as well
        raise ValueError(
            "sslrootcert, sslcert and sslkey name PEM files that can be read, the key without a password."
        ) from None
    return context


def _no_password() -> str:
    # Else OpenSSL would ask at the terminal, and the start would stand still.
    raise ValueError

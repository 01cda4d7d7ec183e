"""What the log tells of an error: what it is and where it came from, and nothing that it says."""

import traceback
from collections.abc import Sequence


def class_of(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def course_of(error: BaseException) -> Sequence[str]:
    """Return where *error* came from, what it came from, and what it is made of, line by line.

    Its text and the values of variables are left out: they may be somebody's name or address. A database
    repeats what it refuses.
    """
    course: list[str] = []
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        course.append(class_of(cause))
        course += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(cause.__traceback__)
        ]
        if isinstance(cause, BaseExceptionGroup):
            course += [f"  {line}" for part in cause.exceptions for line in course_of(part)]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return course

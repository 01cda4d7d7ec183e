"""The route that shows what people will read."""

from http import HTTPStatus

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIType, Parameter, Schema
from litestar.params import FromPath

from application.texts import YEARS_SHOWN, LanguageUnknown
from domain.access import Scope
from domain.occasion import Kind
from entrypoints.http.operations import operation
from entrypoints.http.parameters import bad_parameter, one_parameter, whole_number, yes_or_no
from entrypoints.http.problems import RequestRefused
from entrypoints.http.requests import AnyRequest
from entrypoints.http.use_cases import UseCases

_YEARS_MAX = 150
_UNKNOWN_YEARS = "unknown"
_KINDS = {kind.lower(): kind for kind in Kind}


class TextResource(msgspec.Struct):
    """What a person reads; *html* is null where there is no template for it."""

    subject: str
    text: str
    html: str | None


class TemplateController(Controller):
    """Templates, filled in for somebody made up."""

    path = "/templates"
    tags = ("templates",)

    @get(
        "/{kind:str}/preview",
        operation_id="previewTemplate",
        summary="Show what people will read",
        operation_class=operation(
            Parameter(
                name="years",
                param_in="query",
                description=f"How many, up to {_YEARS_MAX}; or {_UNKNOWN_YEARS}.",
                schema=Schema(
                    type=OpenAPIType.STRING,
                    pattern=f"^({_UNKNOWN_YEARS}|0{{0,6}}([1-9]|[1-9][0-9]|1[0-4][0-9]|{_YEARS_MAX}))$",
                    default=str(YEARS_SHOWN),
                ),
            ),
            Parameter(
                name="belated",
                param_in="query",
                description="Whether the day itself is over.",
                schema=Schema(type=OpenAPIType.BOOLEAN, default=False),
            ),
            Parameter(
                name="language",
                param_in="query",
                description="The tag of a language, such as de; the service's own if none is given.",
                schema=Schema(type=OpenAPIType.STRING),
            ),
            needs=Scope.MESSAGES_READ,
            answer={
                "text": {
                    "subject": "Happy birthday, Ada!",
                    "text": "Dear Ada,\n\nhappy 37th birthday! All the best for the year ahead.\n",
                    "html": None,
                }
            },
            refuses=(HTTPStatus.NOT_FOUND,),
        ),
    )
    async def preview(
        self, kind: FromPath[str], request: AnyRequest, use_cases: NamedDependency[UseCases]
    ) -> TextResource:
        """Fill in the template for a birthday or an anniversary of Ada Lovelace's; no real person is shown."""
        if kind not in _KINDS:
            raise RequestRefused(HTTPStatus.NOT_FOUND, f"There are templates for {' and '.join(_KINDS)}.")
        try:
            text = use_cases.preview_text(
                _KINDS[kind],
                years=None if one_parameter(request, "years") == _UNKNOWN_YEARS else _years(request),
                is_belated=yes_or_no(request, "belated"),
                language=one_parameter(request, "language"),
            )
        except LanguageUnknown as error:
            raise bad_parameter("language", str(error)) from None
        return TextResource(text.subject, text.body, text.html)


def _years(request: AnyRequest) -> int:
    return whole_number(request, "years", YEARS_SHOWN, 1, _YEARS_MAX)

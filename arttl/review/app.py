"""The review app as ASGI: each address a method of `Session`, and failures as one sentence of JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arttl.decisions.decision import LONGEST_TEXT
from arttl.decisions.file import NoDecision
from arttl.documents import parse_json, structured
from arttl.errors import ArttlError
from arttl.pictures.decoding import BadPicture
from arttl.review.description import described
from arttl.review.pictures import SIZES, NoPicture
from arttl.review.queues import LONGEST_SEARCH, ORDERS, QUEUES, SHOWS, Query
from arttl.review.requests import MOST_ROWS, Choices, Undoing
from arttl.review.security import LARGEST_BODY
from arttl.review.session import Refused, Session, Unknown

_STATIC = Path(__file__).parent / "static"
_STYLES = Path(__file__).parents[1] / "templates" / "styles.css"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_NUMBERS = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*\Z")
# Of a run of the app, whose addresses no other run has.
_UNCHANGING = {"cache-control": "private, max-age=86400, immutable"}
_CHANGING = {"cache-control": "no-store"}

T = TypeVar("T")


class _Wrong(ArttlError):
    """A request that is not as the description says."""


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (_Wrong, 400),
    (Unknown, 404),
    (NoPicture, 404),
    (NoDecision, 404),
    (BadPicture, 404),
    (Refused, 409),
)


@lru_cache(maxsize=1)
def static_files() -> dict[str, tuple[bytes, str]]:
    """The files of the page by name, with their types; no other file is ever served under a name."""
    paths = [*sorted(_STATIC.iterdir()), _STYLES]
    return {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in paths if path.suffix in _TYPES}


def build_app(session: Session) -> Starlette:
    """The app of a session, without the guard that `arttl.review.security` puts in front of it."""
    api = _Api(session)
    routes = [
        Route("/", api.page),
        Route("/static/{name}", api.static),
        Route("/api/openapi.json", api.openapi),
        Route("/api/session", api.session),
        Route("/api/queue", api.queue),
        Route("/api/counts", api.counts),
        Route("/api/rows", api.rows),
        Route("/api/objects/{row:int}", api.details),
        Route("/api/labels", api.labels),
        Route("/api/decisions", api.save, methods=["POST"]),
        Route("/api/undo", api.undo, methods=["POST"]),
        Route("/pictures/{kind}/{number:int}/{size}", api.picture),
        Route("/maps/{row:int}/{task}", api.map),
    ]
    handlers: dict[Any, Any] = {HTTPException: _http_error, ArttlError: _error, BadPicture: _error}
    return Starlette(routes=routes, exception_handlers=handlers)


class _Api:
    """The addresses; Starlette runs those that are no coroutines in threads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._description = described(list(session.collection.tasks), len(session.collection))

    def page(self, request: Request) -> Response:
        return self._file("index.html")

    def static(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    def _file(self, name: str) -> Response:
        if name not in static_files():
            raise HTTPException(404)
        data, kind = static_files()[name]
        return Response(data, media_type=kind, headers={"cache-control": "no-cache"})

    def openapi(self, request: Request) -> Response:
        return _json(self._description)

    def session(self, request: Request) -> Response:
        return _json(self._session.description())

    def queue(self, request: Request) -> Response:
        values = _parameters(request, {"task": ""}, ("queue", "show", "search", "label", "of", "order"))
        query = Query(
            task=_text(values, "task"),
            queue=_among(values, "queue", QUEUES, "all"),
            show=_among(values, "show", SHOWS, "open"),
            search=_text(values, "search", LONGEST_SEARCH),
            label=_text(values, "label"),
            of=_text(values, "of"),
            order=_among(values, "order", ORDERS, "queue"),
        )
        rows = self._session.select(query)
        # Little-endian int32, four bytes per row: a list that is known whole.
        return Response(
            rows.astype("<i4").tobytes(), media_type="application/octet-stream", headers=_CHANGING
        )

    def counts(self, request: Request) -> Response:
        return _json(self._session.counts(_text(_parameters(request, {"task": ""}), "task")))

    def rows(self, request: Request) -> Response:
        values = _parameters(request, {"task": "", "rows": ""})
        if not _NUMBERS.match(values["rows"]) or values["rows"].count(",") >= MOST_ROWS:
            raise _Wrong(f"rows must be up to {MOST_ROWS} numbers with commas between them")
        return _json(
            self._session.rows(_text(values, "task"), [int(row) for row in values["rows"].split(",")])
        )

    def details(self, request: Request) -> Response:
        _parameters(request, {})
        return _json(self._session.details(request.path_params["row"]))

    def labels(self, request: Request) -> Response:
        return _json(self._session.labels(_text(_parameters(request, {"task": ""}), "task")))

    async def save(self, request: Request) -> Response:
        choices = await _body(request, Choices)
        return _json(await run_in_threadpool(self._session.save, choices))

    async def undo(self, request: Request) -> Response:
        undoing = await _body(request, Undoing)
        return _json(await run_in_threadpool(self._session.undo, undoing))

    def picture(self, request: Request) -> Response:
        _parameters(request, {})
        kind, size = request.path_params["kind"], request.path_params["size"]
        if kind not in ("rows", "samples") or size not in SIZES:
            raise HTTPException(404)
        pictures, number = self._session.pictures, request.path_params["number"]
        if kind == "rows" and number >= len(self._session.collection):
            raise Unknown(f"there is no row {number}")
        file = pictures.of_row(number) if kind == "rows" else pictures.of_sample(number)
        if size == "thumbnail":
            data = self._session.thumbnails.get(file, lambda: pictures.encoded(file, "thumbnail"))
        else:
            data = pictures.encoded(file, "large")
        return Response(data, media_type="image/jpeg", headers=_UNCHANGING)

    def map(self, request: Request) -> Response:
        _parameters(request, {})
        row, task, maps = request.path_params["row"], request.path_params["task"], self._session.maps
        if maps is None:
            raise Unknown("maps need --model")
        if row >= len(self._session.collection) or task not in self._session.collection.tasks:
            raise Unknown(f"there is no row {row} with the task {task[:100]!r}")
        data = maps.jpeg(self._session.pictures.of_row(row), task)
        return Response(data, media_type="image/jpeg", headers=_UNCHANGING)


def _json(value: Any) -> Response:
    return JSONResponse(value, headers=_CHANGING)


def _parameters(
    request: Request, required: Mapping[str, str], optional: tuple[str, ...] = ()
) -> dict[str, str]:
    """The parameters of an address, each once and none that is unknown."""
    given = request.query_params.multi_items()
    values = dict(given)
    if len(values) < len(given):
        raise _Wrong("a parameter is given twice")
    if unknown := values.keys() - {*required, *optional}:
        raise _Wrong(f"there is no parameter {min(unknown)[:100]!r}")
    if missing := required.keys() - values.keys():
        raise _Wrong(f"the parameter {min(missing)!r} is missing")
    return values


def _text(values: Mapping[str, str], name: str, longest: int = LONGEST_TEXT) -> str:
    text = values.get(name, "")
    if len(text) > longest:
        raise _Wrong(f"{name} must have at most {longest:,} characters")
    return text


def _among(values: Mapping[str, str], name: str, known: tuple[T, ...], default: T) -> T:
    if name not in values:
        return default
    for each in known:
        if each == values[name]:
            return each
    raise _Wrong(f"{name} must be {', '.join(map(str, known))}")


async def _body(request: Request, kind: type[T]) -> T:
    """The JSON of a request of a limited size."""
    _parameters(request, {})
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415)
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > LARGEST_BODY:
            raise HTTPException(413)
    try:
        return structured(_whole(parse_json(bytes(data), dict[str, Any], "the request")), kind, "the request")
    except ArttlError as error:
        raise _Wrong(str(error)) from error


def _whole(value: Any) -> Any:
    """Values of JSON in which 45.0 is 45, as JSON Schema has it."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


_SENTENCES = {
    404: "there is no such address",
    405: "this address takes another method",
    413: f"the request has more than {LARGEST_BODY >> 20} MiB",
    415: "the request must be application/json",
}


def _http_error(request: Request, error: HTTPException) -> Response:
    sentence = _SENTENCES.get(error.status_code, error.detail)
    return JSONResponse({"error": sentence}, error.status_code, {**(error.headers or {}), **_CHANGING})


def _error(request: Request, error: Exception) -> Response:
    # What is left is a file that cannot be read or written any more.
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return JSONResponse({"error": str(error)}, status, _CHANGING)

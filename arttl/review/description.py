"""The addresses of the review app as OpenAPI 3.1 describes them."""

from __future__ import annotations

from typing import Any

from arttl.decisions.decision import LONGEST_TEXT, MOST_LABELS, VERDICTS
from arttl.review.columns import STATUSES
from arttl.review.pictures import SIZES
from arttl.review.queues import LONGEST_SEARCH, ORDERS, QUEUES, SHOWS
from arttl.review.requests import LARGEST_NUMBER, MOST_DECISIONS, MOST_ROWS
from arttl.version import __version__

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "maxLength": LONGEST_TEXT}
_LABELS: Schema = {"type": "array", "items": {"type": "string"}}
_SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_NUMBER: Schema = {"type": "integer", "minimum": 0}


def described(tasks: list[str], rows: int) -> Schema:
    """The description.

    Args:
        tasks: names of all tasks.
        rows: how many there are.
    """
    task: Schema = {"type": "string", "enum": tasks}
    row: Schema = {"type": "integer", "minimum": 0, "maximum": rows - 1}
    in_path = {"row": _parameter("row", row, "path"), "task": _parameter("task", task, "path")}
    numbers: Schema = {"type": "string", "pattern": f"^[0-9]{{1,9}}(,[0-9]{{1,9}}){{0,{MOST_ROWS - 1}}}$"}
    query = [
        _parameter("task", task),
        _parameter("queue", {"type": "string", "enum": list(QUEUES)}, is_required=False),
        _parameter("show", {"type": "string", "enum": list(SHOWS)}, is_required=False),
        _parameter("search", {"type": "string", "maxLength": LONGEST_SEARCH}, is_required=False),
        _parameter("label", _TEXT, is_required=False),
        _parameter("of", task, is_required=False),
        _parameter("order", {"type": "string", "enum": list(ORDERS)}, is_required=False),
    ]
    picture = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
    octets = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    paths = {
        "/api/session": _get("The tasks, and who reviews", _object("Session"), []),
        "/api/queue": _get(
            "The numbers of a queue's rows in their order, as little-endian int32", octets, query
        ),
        "/api/counts": _get(
            "How many rows each queue has, and how many nobody has decided",
            _json({"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Count"}}),
            [_parameter("task", task)],
        ),
        "/api/rows": _get(
            "What the grid shows of rows",
            _json({"type": "array", "items": {"$ref": "#/components/schemas/Row"}}),
            [_parameter("task", task), _parameter("rows", numbers)],
        ),
        "/api/objects/{row}": _get("All that is known of a row", _object("Details"), [in_path["row"]]),
        "/api/labels": _get("Every label of a task", _object("Labels"), [_parameter("task", task)]),
        "/api/decisions": _post("Save decisions", "Choices", "Saved"),
        "/api/undo": _post("Undo decisions", "Undoing", "Undone"),
        "/pictures/{kind}/{number}/{size}": _get(
            "A photograph of a row, or of a sample of the shards",
            picture,
            [
                _parameter("kind", {"type": "string", "enum": ["rows", "samples"]}, "path"),
                _parameter("number", _NUMBER, "path"),
                _parameter("size", {"type": "string", "enum": list(SIZES)}, "path"),
            ],
        ),
        "/maps/{row}/{task}": _get(
            "What the model looks at for a task", picture, [in_path["row"], in_path["task"]]
        ),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "arttl review", "version": __version__},
        "servers": [{"url": ".."}],
        "paths": paths,
        "components": {"schemas": _schemas(task, row)},
    }


def _schemas(task: Schema, row: Schema) -> dict[str, Schema]:
    version = {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER}
    number = {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER}
    decision = _record(
        id=_NUMBER,
        verdict={"type": "string", "enum": list(VERDICTS)},
        undoes={"type": ["integer", "null"]},
        labels=_LABELS,
        reviewer={"type": "string"},
        time={"type": "string"},
    )
    state = _record(
        version=_NUMBER,
        decision={"anyOf": [{"$ref": "#/components/schemas/Decision"}, {"type": "null"}]},
        disputed={"type": "boolean"},
        differing={"type": "array", "items": {"$ref": "#/components/schemas/Decision"}},
    )
    of_row = {
        "row": _NUMBER,
        "object": {"type": "string"},
        "institution": {"type": "string"},
        "picture": {"type": "string"},
        "catalogued": _LABELS,
        "suggested": _LABELS,
        "probability": _SHARE,
        "status": {"enum": [*STATUSES, None]},
        "state": {"$ref": "#/components/schemas/State"},
    }
    ranked = {"type": "array", "prefixItems": [{"type": "string"}, _SHARE], "minItems": 2, "maxItems": 2}
    of_task = {
        **of_row,
        "ranked": {"type": "array", "items": ranked},
        "set": {"type": ["array", "null"], "items": {"type": "string"}},
        "interval": {"type": ["array", "null"], "items": {"type": ["number", "null"]}},
        "uris": _LABELS,
        "history": {"type": "array", "items": {"$ref": "#/components/schemas/Decision"}},
    }
    neighbour = _record(
        object={"type": "string"},
        similarity={"type": ["number", "null"]},
        labels={"type": "object", "additionalProperties": _LABELS},
        sample={"type": ["integer", "null"]},
        row={"type": ["integer", "null"]},
    )
    of_state = _record(row=_NUMBER, state={"$ref": "#/components/schemas/State"})
    choice = {"row": row, "version": version}
    plain = ["accepted", "rejected", "skipped"]
    choices = [
        {
            **_record(**choice, verdict={"type": "string", "enum": plain}),
            "description": "what is suggested is right, it is wrong, or somebody else should look",
        },
        {
            **_record(
                **choice,
                verdict={"const": "corrected"},
                labels={
                    "type": "array",
                    "items": {**_TEXT, "minLength": 1},
                    "minItems": 1,
                    "maxItems": MOST_LABELS,
                },
            ),
            "description": "these labels are right",
        },
    ]
    requested = _record(
        task=task,
        decisions={"type": "array", "items": {"oneOf": choices}, "minItems": 1, "maxItems": MOST_DECISIONS},
    )
    requested["properties"]["new_labels"] = {"type": "boolean", "default": False}
    return {
        "Error": _record(error={"type": "string"}),
        "Count": _record(rows=_NUMBER, open=_NUMBER),
        "Session": _record(
            tasks={"type": "array", "items": {"type": "object"}},
            queues={"type": "array", "items": {"enum": list(QUEUES)}},
            rows=_NUMBER,
            reviewer={"type": "string"},
            blind={"type": "boolean"},
            maps={"type": "boolean"},
            letters={"type": "object", "additionalProperties": {"type": "string"}},
        ),
        "Decision": decision,
        "State": state,
        "Row": _record(**of_row),
        "Details": _record(
            row=_NUMBER,
            title={"type": "string"},
            date={"type": "string"},
            photographs={"type": "array", "items": _NUMBER},
            problem={"type": ["string", "null"]},
            doubt={"type": ["object", "null"]},
            nearest={"type": "array", "items": neighbour},
            tasks={"type": "object", "additionalProperties": _record(**of_task)},
        ),
        "Labels": _record(
            labels=_LABELS,
            others={"type": "array", "items": _LABELS},
            uris={"type": "array", "items": _LABELS},
        ),
        "Choices": requested,
        "Saved": _record(
            saved={"type": "array", "items": of_state}, conflicts={"type": "array", "items": of_state}
        ),
        "Undoing": _record(ids={"type": "array", "items": number, "minItems": 1, "maxItems": MOST_DECISIONS}),
        "Undone": _record(
            undone={"type": "array", "items": number}, conflicts={"type": "array", "items": number}
        ),
    }


def _record(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _object(name: str) -> Schema:
    return _json({"$ref": f"#/components/schemas/{name}"})


def _parameter(name: str, schema: Schema, where: str = "query", *, is_required: bool = True) -> Schema:
    return {"name": name, "in": where, "required": is_required, "schema": schema}


def _responses(content: Schema, *failures: int) -> Schema:
    error = _object("Error")
    sentences = {
        400: "The request is not as described here",
        403: "The token is missing, or another page asked",
        404: "There is no such row, task, label or picture",
        405: "The address takes another method",
        409: "It was decided elsewhere meanwhile, or cannot be decided so",
        413: "The request is too large",
        415: "The request is not JSON",
        421: "Another host was asked for",
        500: "A file cannot be read or written any more",
    }
    responses: Schema = {"200": {"description": "Done", "content": content}}
    for status in (400, 403, 404, 405, 421, 500, *failures):
        responses[str(status)] = {"description": sentences[status], "content": error}
    return responses


def _get(summary: str, content: Schema, parameters: list[Schema]) -> Schema:
    return {"get": {"summary": summary, "parameters": parameters, "responses": _responses(content)}}


def _post(summary: str, body: str, response: str) -> Schema:
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _object(body)},
            "responses": _responses(_object(response), 409, 413, 415),
        }
    }

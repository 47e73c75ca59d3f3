"""The review app over HTTP, as a process of its own: what it lets in, and what it gives out."""

from __future__ import annotations

import io
import json
import signal
from pathlib import Path

import pytest
from PIL import Image
from review_cases import (
    LABELS,
    MATERIALS,
    RECORDS,
    Server,
    arguments,
    made_records,
    serving,
    write_records,
)

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")


def test_how_it_ends(given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        server.process.send_signal(signal.SIGINT)
        rest, _ = server.process.communicate(timeout=20)
    export = f"arttl decisions export --decisions {tmp_path}/d.sqlite --to csv --out reviewed.csv"
    assert server.process.returncode == 0 and rest.splitlines()[-1] == f"next        {export}"


def test_ctrl_c_pressed_twice_prints_no_code(given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGINT)
        rest, _ = server.process.communicate(timeout=20)
    assert "Traceback" not in rest and rest.count("next        arttl decisions export") == 1


def test_what_it_prints(server: Server) -> None:
    text = "".join(server.printed)
    assert "suggestions 60 rows, tasks material, technique" in text
    assert "suggestions 8 pictures could not be read by arttl predict, and are in no queue" in text
    assert "as R. Viewer" in text and "http://127.0.0.1:" in text


# What it lets in.


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("", {}, 200),
        ("api/session", {}, 200),
        ("../api/session", {}, 403),  # without the token
        ("../wrong/api/session", {}, 403),
        ("api/session", {"Host": "museum.example"}, 421),
        ("api/session", {"Host": "127.0.0.1"}, 421),
        ("api/session", {"Host": "127.0.0.1:1"}, 421),
        ("api/session", {"Origin": "https://elsewhere.example"}, 403),
        ("api/session", {"Origin": "null"}, 403),
        ("api/session", {"Origin": "http://127.0.0.1:1"}, 403),
        ("api/session", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("api/session", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("nothing", {}, 404),
        ("static/../app.py", {}, 404),
        ("static/%2e%2e%2fapp.py", {}, 404),
        ("static/..%2F..%2F..%2Fetc%2Fpasswd", {}, 404),
        ("static//etc/passwd", {}, 404),
        ("pictures/rows/../../secret.jpg/thumbnail", {}, 404),
        ("pictures/rows/0/original", {}, 404),
        ("pictures/rows/60/thumbnail", {}, 404),
        ("pictures/samples/0/thumbnail", {}, 404),  # there are no shards
        ("maps/0/material", {}, 404),  # there is no model
    ],
)
def test_which_requests_are_let_in(server: Server, path: str, headers: dict[str, str], status: int) -> None:
    absolute = server.path + path
    if path.startswith("../"):
        absolute = path[2:]
    found, sent, body = server.request("GET", absolute, headers=headers)
    assert found == status, body
    assert sent["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert (sent["x-content-type-options"], sent["referrer-policy"]) == ("nosniff", "no-referrer")
    assert "access-control-allow-origin" not in sent and "server" not in sent
    if status != 200:
        assert set(json.loads(body)) == {"error"}


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere(server: Server) -> None:
    _, _, body = server.request("GET", server.path)
    text = body.decode()
    assert (
        "<style" not in text
        and " style=" not in text
        and " on" not in text.replace(" one", "").replace(" only", "")
    )
    assert "http" not in text and "//" not in text
    for name in ("app.js", "grid.js", "object.js", "finder.js", "rows.js", "api.js", "elements.js"):
        status, headers, script = server.request("GET", f"{server.path}static/{name}")
        assert status == 200 and headers["content-type"].startswith("text/javascript")
        for forbidden in (
            b"innerHTML",
            b"outerHTML",
            b"insertAdjacentHTML",
            b"document.write",
            b"eval(",
            b"http:",
            b"https:",
        ):
            assert forbidden not in script
    for name in ("styles.css", "review.css"):
        _, headers, styles = server.request("GET", f"{server.path}static/{name}")
        assert headers["content-type"].startswith("text/css")
        assert b"url(" not in styles and b"@import" not in styles


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("GET", "api/decisions", None, "application/json", 405),
        ("DELETE", "api/rows", None, "application/json", 405),
        ("POST", "api/decisions", b"{}", "text/plain", 415),
        ("POST", "api/decisions", b"{}", "application/json", 400),
        ("POST", "api/decisions", b"{" * 100_000, "application/json", 400),
        ("POST", "api/decisions", b" " * (2**20 + 1), "application/json", 413),
        ("POST", "api/undo", b'{"ids": [true]}', "application/json", 400),
        ("POST", "api/undo", b'{"ids": []}', "application/json", 400),
        ("POST", "api/undo", b'{"ids": [99]}', "application/json", 404),
    ],
)
def test_requests_that_are_refused(
    server: Server, method: str, path: str, body: bytes | None, kind: str, status: int
) -> None:
    found, headers, answer = server.request(method, server.path + path, body, {"content-type": kind})
    assert found == status, answer
    assert "error" in json.loads(answer)
    assert ("allow" in headers) == (status == 405)


@pytest.mark.parametrize(
    ("path", "values", "status", "sentence"),
    [
        ("api/queue", {}, 400, "the parameter 'task' is missing"),
        ("api/queue", {"task": "material", "x": 1}, 400, "there is no parameter 'x'"),
        ("api/queue", {"task": "material", "queue": "best"}, 400, "queue must be agree, differs, empty,"),
        ("api/queue", {"task": "material", "search": "x" * 201}, 400, "at most 200 characters"),
        ("api/queue", {"task": "colour"}, 404, "there is no task 'colour'"),
        ("api/queue", {"task": "material", "label": "nought"}, 404, "there is no material 'nought'"),
        ("api/rows", {"task": "material", "rows": "1,x"}, 400, "numbers with commas"),
        ("api/rows", {"task": "material", "rows": ",".join(["1"] * 201)}, 400, "up to 200 numbers"),
        ("api/rows", {"task": "material", "rows": "60"}, 404, "there is no row 60"),
        ("api/labels", {"task": "colour"}, 404, "there is no task 'colour'"),
        ("api/objects/60", {}, 404, "there is no row 60"),
    ],
)
def test_what_is_not_there(
    server: Server, path: str, values: dict[str, object], status: int, sentence: str
) -> None:
    found, error = server.failed(path, **values)
    assert found == status and sentence in error


# What it gives out.


def test_a_row_and_its_details(server: Server) -> None:
    row = MATERIALS[3]
    record = RECORDS[row]
    (given,) = server.get("api/rows", task="material", rows=row)
    task = record["material"]
    assert (given["object"], given["picture"], given["institution"]) == (
        record["object_number"],
        record["picture"],
        record["institution"],
    )
    assert (given["suggested"], given["catalogued"], given["status"]) == (
        task["labels"],
        task["catalogued"],
        task["status"],
    )
    assert given["probability"] == pytest.approx(task["ranked"][0]["probability"])
    assert given["state"]["decision"] is None
    details = server.get(f"api/objects/{row}")
    assert set(details["tasks"]) == {"material", "technique"}
    assert details["tasks"]["material"]["ranked"] == [
        [each["label"], each["probability"]] for each in task["ranked"]
    ]
    assert details["tasks"]["material"]["set"] == task["set"]
    (near,) = details["nearest"]
    assert (near["object"], near["labels"], near["sample"]) == ("N.1", {"material": ["wood"]}, None)
    assert near["row"] is None and near["similarity"] == 0.9


def test_the_labels_of_a_task(server: Server) -> None:
    labels = server.get("api/labels", task="material")
    assert {*LABELS["material"]} <= {
        *labels["labels"]
    }  # hostile ones as they are: the page writes them as text
    assert len(labels["others"]) == len(labels["uris"]) == len(labels["labels"])


def test_a_photograph_is_encoded_anew(server: Server) -> None:
    for size in ("thumbnail", "large", "thumbnail"):
        status, headers, body = server.request("GET", f"{server.path}pictures/rows/1/{size}")
        assert status == 200 and headers["content-type"] == "image/jpeg"
        picture = Image.open(io.BytesIO(body))
        assert picture.format == "JPEG" and picture.size == (60, 40)
        red, green, blue = picture.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
        assert (
            max(abs(red - 37), abs(green - 91), abs(blue - 128)) < 8
        )  # of the second row, see draw_photographs


def test_names_that_lead_out_of_the_folder(given: Path, tmp_path: Path) -> None:
    records = made_records(7)
    for record, name in zip(
        records,
        [
            "../secret.jpg",
            str(given / "secret.jpg"),
            "a/../../secret.jpg",
            "C:\\x.jpg",
            "a\0b.jpg",
            "none.jpg",
            "001.jpg",  # else it would be the folder of other pictures
        ],
        strict=True,
    ):
        record["picture"] = name
    write_records(tmp_path / "s.parquet", records)
    with serving(
        "--predictions",
        tmp_path / "s.parquet",
        "--images",
        given / "photos",
        "--decisions",
        tmp_path / "d.sqlite",
    ) as server:
        for row in range(6):
            status, error = server.failed(f"pictures/rows/{row}/large")
            assert status == 404
            assert ("leads out of the folder" in error) == (row < 4)


# Decisions.

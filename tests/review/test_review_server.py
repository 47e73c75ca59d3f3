"""The review app over HTTP, as a process of its own: what it lets in, what it gives out, and what a kill leaves."""

from __future__ import annotations

import concurrent.futures
import io
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from review_cases import LABELS, Server, draw_photographs, made_records, serving, write_records

from arttl.cli import run_command
from arttl.decisions.file import DecisionFile
from arttl.errors import ArttlError
from arttl.review.settings import ReviewSettings

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")

RECORDS = made_records(60)
MATERIALS = [row for row, record in enumerate(RECORDS) if record["material"]]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with suggestions, photographs, and a file beside them that nobody may read."""
    folder = tmp_path_factory.mktemp("review")
    write_records(folder / "suggestions.parquet", RECORDS)
    draw_photographs(folder / "photos", RECORDS)
    Image.new("RGB", (9, 9)).save(folder / "secret.jpg")
    return folder


def arguments(given: Path, decisions: Path) -> list[str | Path]:
    named = ["--predictions", given / "suggestions.parquet", "--images", given / "photos"]
    return [*named, "--decisions", decisions, "--reviewer", "R. Viewer"]


@pytest.fixture(scope="module")
def server(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTTL_CACHE", str(cache))
        with serving(*arguments(given, cache / "decisions.sqlite")) as running:
            yield running


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
    records = made_records(6)
    for record, name in zip(
        records,
        [
            "../secret.jpg",
            str(given / "secret.jpg"),
            "a/../../secret.jpg",
            "C:\\x.jpg",
            "a\0b.jpg",
            "none.jpg",
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


def test_saving_conflicts_and_undoing(server: Server) -> None:
    row = MATERIALS[0]
    (first,) = server.decide("material", row, "accepted")["saved"]
    decision = first["state"]["decision"]
    assert (decision["verdict"], decision["reviewer"]) == ("accepted", "R. Viewer")
    assert decision["labels"] == RECORDS[row]["material"]["labels"]
    # Another window, which has not seen it.
    answer = server.decide("material", row, "rejected")
    assert not answer["saved"]
    (conflict,) = answer["conflicts"]
    assert conflict["state"]["decision"] == decision
    version = conflict["state"]["version"]
    (second,) = server.decide("material", row, "corrected", "ivory", version=version)["saved"]
    assert row not in server.queue(task="material", queue="all")
    assert row in server.queue(task="material", queue="all", show="corrected")
    status, answer = server.post("api/undo", {"ids": [second["state"]["decision"]["id"], decision["id"]]})
    assert (status, answer["conflicts"]) == (200, []) and len(answer["undone"]) == 2
    assert row in server.queue(task="material", queue="all")
    details = server.get(f"api/objects/{row}")
    assert [each["undoes"] for each in details["tasks"]["material"]["history"]] == [
        None,
        None,
        second["state"]["decision"]["id"],
        decision["id"],
    ]
    assert details["tasks"]["technique"]["history"] == []


def test_what_is_chosen_as_suggested_is_accepted(server: Server) -> None:
    row = MATERIALS[1]
    (saved,) = server.decide("material", row, "corrected", *RECORDS[row]["material"]["labels"])["saved"]
    assert saved["state"]["decision"]["verdict"] == "accepted"


def test_a_new_label_has_to_be_confirmed(server: Server) -> None:
    row = MATERIALS[2]
    choice = {"row": row, "version": 0, "verdict": "corrected", "labels": ["  unobtainium "]}
    status, answer = server.post("api/decisions", {"task": "material", "decisions": [choice]})
    assert status == 409 and "'unobtainium' is a new material: confirm it" in answer["error"]
    (saved,) = server.decide("material", row, "corrected", "  unobtainium ", new_labels=True)["saved"]
    assert saved["state"]["decision"]["labels"] == ["unobtainium"]
    assert "unobtainium" in server.get("api/labels", task="material")["labels"]


def test_a_request_is_saved_whole_or_not_at_all(server: Server) -> None:
    rows = MATERIALS[4:7]
    choices = [{"row": row, "version": 0, "verdict": "skipped"} for row in rows]
    choices.append({"row": 10**6, "version": 0, "verdict": "skipped"})
    status, _ = server.post("api/decisions", {"task": "material", "decisions": choices})
    assert status == 404
    assert {*rows} <= {*server.queue(task="material", queue="all")}
    status, answer = server.post("api/decisions", {"task": "material", "decisions": choices[:3]})
    assert status == 200 and [each["row"] for each in answer["saved"]] == rows
    unreadable = next(row for row, record in enumerate(RECORDS) if record["problem"])
    status, answer = server.post(
        "api/decisions",
        {"task": "material", "decisions": [{"row": unreadable, "version": 0, "verdict": "skipped"}]},
    )
    assert status == 409 and "nothing is suggested" in answer["error"]


def test_many_clients_lose_nothing(server: Server) -> None:
    """Of eight clients that decide about the same objects at once each object gets one decision, and nobody two."""
    rows = MATERIALS[10:22]

    def client(_: int) -> list[int]:
        return [
            each["state"]["decision"]["id"]
            for row in rows
            for each in server.decide("technique", row, "skipped")["saved"]
        ]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        saved = [number for numbers in pool.map(client, range(8)) for number in numbers]
    assert len(saved) == len({*saved}) == len(rows)
    assert {*server.queue(task="technique", queue="all", show="skipped")} == {*rows}


def test_a_kill_loses_nothing_that_was_answered(given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        rows = server.queue(task="material", queue="all")
        for row in rows[:25]:
            server.decide("material", row, "accepted")
        server.kill()
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        assert server.queue(task="material", queue="all", show="accepted") == rows[:25]
        (state,) = server.get("api/rows", task="material", rows=rows[0])
        assert state["state"]["decision"]["verdict"] == "accepted"


def test_two_servers_on_one_file(given: Path, tmp_path: Path) -> None:
    with (
        serving(*arguments(given, tmp_path / "d.sqlite")) as first,
        serving(*arguments(given, tmp_path / "d.sqlite")) as second,
    ):
        assert first.path != second.path  # tokens are of one run
        row = MATERIALS[0]
        first.decide("material", row, "rejected")
        assert second.decide("material", row, "accepted")["saved"] == []
        assert row in second.queue(task="material", queue="all", show="rejected")


# Who can reach it, and what it reaches.


def test_it_listens_on_loopback_alone(server: Server) -> None:
    port = urlsplit(server.address).port
    assert port is not None
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    for address in [each for each in own if "." in each]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=2)


def test_without_a_network_it_works(given: Path, tmp_path: Path) -> None:
    """In a network namespace with loopback alone, where every connection to elsewhere fails."""
    prefix = ("unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    try:
        tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare")
    if tried.returncode:
        pytest.skip(f"no network namespace: {tried.stderr.strip()}")
    script = (
        "import sys; sys.path.insert(0, 'tests'); from review_cases import serving\n"
        "with serving(*sys.argv[1:]) as server:\n"
        "    rows = server.queue(task='material', queue='all')\n"
        "    server.decide('material', rows[0], 'accepted'); server.get(f'api/objects/{rows[1]}')\n"
        "    assert server.request('GET', f'{server.path}pictures/rows/{rows[0]}/thumbnail')[0] == 200\n"
        "    print('done', len(rows))\n"
    )
    command = [*prefix, sys.executable, "-c", script, *map(str, arguments(given, tmp_path / "d.sqlite"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.stdout.startswith("done"), done.stdout + done.stderr


def test_it_asks_for_nothing_elsewhere(given: Path, tmp_path: Path) -> None:
    """Every connection that the process opens is seen by an audit hook of Python."""
    code = (
        "import sys\n"
        "def hook(event, values):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto'):\n"
        "        address = values[1] if event == 'socket.connect' else values[0]\n"
        "        if '127.0.0.1' not in str(address): print('ELSEWHERE', event, values, flush=True)\n"
        "sys.addaudithook(hook)\n"
        "from arttl.cli import main; main()\n"
    )
    words = ["review", *map(str, arguments(given, tmp_path / "d.sqlite")), "--no-browser"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    process.send_signal(2)
    rest, _ = process.communicate(timeout=20)
    assert any("http://" in line for line in lines) and "ELSEWHERE" not in "".join(lines) + rest


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no openssl")
    return folder / "certificate.pem", folder / "key.pem"


def test_with_tls(given: Path, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    files = ["--tls-certificate", certificate[0], "--tls-key", certificate[1]]
    context = ssl.create_default_context(cafile=certificate[0])
    words = [*arguments(given, tmp_path / "d.sqlite"), "--host", "localhost", *files]
    with serving(*words, context=context) as server:
        assert server.address.startswith("https://localhost:")
        assert server.get("api/session")["reviewer"] == "R. Viewer"
        origin = server.address.removesuffix(server.path)
        assert server.request("GET", server.path, headers={"Origin": origin})[0] == 200
        assert (
            server.request("GET", server.path, headers={"Origin": origin.replace("https", "http")})[0] == 403
        )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"host": "museum.example"},
            "--host museum.example can be reached by others: give --tls-certificate and",
        ),
        ({"host": "0.0.0.0"}, "--host 0.0.0.0 can be reached by others"),
        (
            {"host": "0.0.0.0", "tls_certificate": Path("c"), "tls_key": Path("k")},
            "is no name of this machine",
        ),
        ({"tls_key": Path("k")}, "--tls-certificate and --tls-key go together"),
        ({"predictions": None}, "name what is reviewed with --predictions, with --audit, or with both"),
        ({"shards": Path("s")}, "name the photographs with --images or with --shards, one of them"),
        ({"reviewer": " "}, "--reviewer must be a name"),
    ],
)
def test_settings_that_are_refused(changes: dict[str, object], sentence: str) -> None:
    values = {"predictions": Path("s.parquet"), "images": Path("photos"), **changes}
    with pytest.raises(ArttlError, match=sentence):
        ReviewSettings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--predictions", "none.parquet"], "--predictions none.parquet is not a file"),
        (["--images", "none"], "--images none is not a folder"),
        (["--decisions", "GIVEN/suggestions.parquet"], "suggestions.parquet is not a file of decisions"),
        (["--audit", "GIVEN"], "has no audit.parquet: give a folder that arttl audit has written"),
        (["--vocabulary", "none.csv"], "none.csv"),
        (["--port", "TAKEN"], "cannot be used: Address already in use; choose another"),
        (["--tls-certificate", "GIVEN/secret.jpg", "--tls-key", "GIVEN/secret.jpg"], "cannot be used:"),
    ],
)
def test_one_sentence_for_what_cannot_be_used(
    given: Path,
    tmp_path: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    sentence: str,
) -> None:
    names = {"GIVEN": str(given), "TAKEN": str(urlsplit(server.address).port)}
    for name, value in names.items():
        more = [word.replace(name, value) for word in more]
    words = [str(word) for word in arguments(given, tmp_path / "d.sqlite")]
    assert run_command("review", [*words, *more, "--no-browser"]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.startswith("error: ") and error.count("\n") == 1


def test_the_decisions_hold_what_was_decided_about(given: Path, tmp_path: Path) -> None:
    with serving(*arguments(given, tmp_path / "d.sqlite")) as server:
        row = MATERIALS[0]
        server.decide("material", row, "rejected")
    with DecisionFile(tmp_path / "d.sqlite", is_read_only=True) as file:
        ((_, state),) = file.states()
    assert state.row is not None
    decision, record = state.row.decision, RECORDS[row]
    assert (decision.object_number, decision.key) == (record["object_number"], record["picture"])
    assert decision.suggested == tuple(record["material"]["labels"])
    assert decision.catalogued == tuple(record["material"]["catalogued"])
    assert decision.probability == pytest.approx(record["material"]["ranked"][0]["probability"])


def test_every_address_is_as_described(server: Server) -> None:
    """Schemathesis makes up requests from the description, right and wrong ones, and compares what comes."""
    try:
        import schemathesis  # noqa: F401
    except ImportError:
        pytest.skip("no schemathesis: pip install schemathesis")
    description = f"{server.address}api/openapi.json"
    command = [
        *(
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            description,
            "--url",
            server.address,
            "--max-examples",
            "25",
        ),
        *("--seed", "1", "--generation-database", "none", "--phases", "examples,coverage,fuzzing"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]

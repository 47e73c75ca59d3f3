"""Who can reach the review app, what it reaches, and with what it does not start."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from review_cases import (
    MATERIALS,
    RECORDS,
    Server,
    arguments,
    serving,
)

from arttl.cli import run_command
from arttl.decisions.file import DecisionFile
from arttl.errors import ArttlError
from arttl.review.settings import ReviewSettings

pytest.importorskip("uvicorn", reason="the extra `review` is not installed")


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
        (
            ["--images", "EMPTY"],
            "has no picture that the rows name, such as '000.jpg': give the folder that was",
        ),
        (["--model", "GIVEN"], "is not the folder of a model, or of a run that made one"),
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
    (tmp_path / "empty").mkdir()
    names = {
        "GIVEN": str(given),
        "EMPTY": str(tmp_path / "empty"),
        "TAKEN": str(urlsplit(server.address).port),
    }
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

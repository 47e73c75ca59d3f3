from __future__ import annotations

import email.utils
import gzip
import socket
import time
from typing import Any

import pytest
from iiif_stand_in import StandIn, endless, jpeg, sends, serving, status, without_length

from arttl.fetching import http
from arttl.fetching.http import FetchError, PoliteClient, Response, is_local
from arttl.version import __version__

MOST = 1 << 20


def client(**changes: Any) -> PoliteClient:
    return PoliteClient(**{"rate": 1e6, "retries": 3, "pause": 0.0, **changes})


def get(museum: StandIn, path: str = "/a", **changes: Any) -> Response:
    return client(**changes).get(museum.address + path, most_bytes=MOST, local=True)


@pytest.fixture
def museum():
    with serving(StandIn(documents={"/a": b"the body"})) as stand_in:
        yield stand_in


def test_a_file_arrives_and_the_client_says_who_it_is(museum) -> None:
    assert get(museum) == Response(b"the body", "application/json")
    assert museum.agents == {f"arttl/{__version__}"}


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_temporary_errors_are_tried_again(museum, code: int) -> None:
    museum.faults["/a"] = [status(code)] * 3
    assert get(museum).data == b"the body" and len(museum.requests) == 4
    museum.faults["/a"] = [status(code)] * 4
    with pytest.raises(FetchError, match=f"HTTP {code}") as raised:
        get(museum)
    assert raised.value.temporary and raised.value.status == code and len(museum.requests) == 8


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501])
def test_other_errors_are_not(museum, code: int) -> None:
    museum.always["/a"] = status(code)
    with pytest.raises(FetchError, match=f"HTTP {code}"):
        get(museum)
    assert len(museum.requests) == 1


def test_retry_after_is_kept(museum) -> None:
    museum.faults["/a"] = [status(503, Retry_After="1")]
    assert get(museum).data == b"the body"
    assert museum.times[1] - museum.times[0] >= 1.0
    museum.faults["/a"] = [status(429, Retry_After=email.utils.formatdate(time.time() + 7200, usegmt=True))]
    with pytest.raises(FetchError, match=r"HTTP 429 .*, and the server asks to wait 7,\d+ s"):
        get(museum)
    for text in ("soon", "-5", "", "99999999999999999999"):
        museum.faults["/a"] = [status(503, Retry_After=text)]
        if text.startswith("9"):
            with pytest.raises(FetchError, match="asks to wait"):
                get(museum)
        else:
            assert get(museum).data == b"the body"


def test_a_host_that_asks_to_wait_too_long_is_not_asked_again(museum) -> None:
    museum.always["/a"] = status(429, Retry_After="7200")
    polite = client()
    for message in ("HTTP 429", "is not asked again: it asks to wait 7,200 s", "is not asked again"):
        with pytest.raises(FetchError, match=message):
            polite.get(museum.address + "/a", most_bytes=MOST, local=True)
    assert len(museum.requests) == 1


def test_pauses_double(museum, monkeypatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(http.time, "sleep", pauses.append)
    museum.always["/a"] = status(503)
    with pytest.raises(FetchError):
        get(museum, pause=100.0, retries=4, most_wait=500.0)
    assert [round(pause) for pause in pauses] == [0, 100, 200, 400, 500]


def test_requests_to_one_host_keep_their_distance(museum) -> None:
    polite = client(rate=20.0)
    started = time.monotonic()
    for _ in range(4):
        polite.get(museum.address + "/a", most_bytes=MOST, local=True)
    assert len(museum.times) == 4
    assert museum.times[-1] - started >= 3 / 20  # however late the server sees a request


def test_bodies_that_are_cut_are_asked_for_again(museum) -> None:
    museum.faults["/a"] = [sends(b"the", length=8)] * 3
    assert get(museum).data == b"the body"
    museum.faults["/a"] = [sends(b"the", length=8)] * 4
    with pytest.raises(FetchError, match="the connection ended after 3 of 8 bytes"):
        get(museum)


def test_more_than_was_announced_is_not_read(museum) -> None:
    museum.faults["/a"] = [sends(b"the body and more", length=8)]
    assert get(museum).data == b"the body"


def test_large_bodies_are_refused(museum) -> None:
    museum.always["/a"] = sends(b"x", length=MOST + 1)
    with pytest.raises(FetchError, match=r"it has 1,048,577 bytes, more than 1,048,576"):
        get(museum)
    museum.always["/a"] = endless()
    with pytest.raises(FetchError, match=r"it has more than 1,048,576 bytes"):
        get(museum)
    assert len(museum.requests) == 2


def test_a_body_that_unpacks_to_too_much_is_refused(museum) -> None:
    def packed(data: bytes) -> Any:
        def fault(handler: Any) -> None:
            body = gzip.compress(data)
            handler.send_response(200)
            handler.send_header("Content-Encoding", "gzip")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        return fault

    museum.always["/a"] = packed(b"the body")
    assert get(museum).data == b"the body"
    museum.always["/a"] = packed(bytes(50 * MOST))
    with pytest.raises(FetchError, match="unpacks to more than"):
        get(museum)


@pytest.mark.parametrize("headers", [False, True])
def test_a_server_that_drips_is_left(museum, headers: bool) -> None:
    museum.always["/a"] = endless(b"x", pause=0.05, headers=headers)
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"it took longer than 0.5 s"):
        get(museum, seconds=0.5, retries=0)
    assert time.monotonic() - started < 15  # other programs use the cores too


def test_a_body_without_a_length_ends_with_the_connection(museum) -> None:
    museum.always["/a"] = without_length(b"all of it")
    assert get(museum).data == b"all of it"


def test_redirects(museum) -> None:
    museum.always["/b"] = status(302, Location="/a")
    assert get(museum, "/b").data == b"the body"
    museum.always["/c"] = status(301, Location="/c")
    with pytest.raises(FetchError, match="redirected more than 5 times"):
        get(museum, "/c")
    assert museum.requests.count("/c") == 6
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/a", "data:text/plain,x", "http://[", "//"):
        museum.always["/d"] = status(302, Location=target)
        with pytest.raises(FetchError):
            get(museum, "/d")


def test_a_redirect_from_https_to_http_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(http, "_exchange", lambda *_: "http://museum.example/a")
    with pytest.raises(
        FetchError, match=r"redirected from https to 'http://museum.example/a', which is refused"
    ):
        client().get("https://museum.example/a", most_bytes=MOST)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "127.0.0.%31",
    ],
)
def test_private_hosts_are_refused(museum, host: str) -> None:
    port = museum.address.rpartition(":")[2]
    with pytest.raises(
        FetchError, match=r"not public and is refused|is not a web address|unknown|not known|resol"
    ):
        client(retries=0).get(f"http://{host}:{port}/a", most_bytes=MOST)
    assert museum.requests == []


def test_private_hosts_are_refused_after_a_redirect(museum, monkeypatch) -> None:
    """A public host that redirects to this machine: the name is resolved here, so that it need not exist."""
    resolve = socket.getaddrinfo

    def resolved(host: str, port: Any, *args: Any, **more: Any) -> Any:
        return resolve("93.184.215.14" if host == "museum.example" else host, port, *args, **more)

    monkeypatch.setattr(http.socket, "getaddrinfo", resolved)
    connect = socket.create_connection
    port = int(museum.address.rpartition(":")[2])
    monkeypatch.setattr(
        http.socket,
        "create_connection",
        lambda address, *more: connect(
            ("127.0.0.1", port) if address[0] == "93.184.215.14" else address, *more
        ),
    )
    assert client().get("http://museum.example/a", most_bytes=MOST).data == b"the body"
    for target in (f"{museum.address}/a", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/"):
        museum.always["/b"] = status(302, Location=target)
        with pytest.raises(FetchError, match="which is not public and is refused"):
            client().get("http://museum.example/b", most_bytes=MOST)


def test_hosts_of_the_link_are_refused_even_where_private_ones_are_allowed() -> None:
    for host in ("169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]"):
        with pytest.raises(FetchError, match="which is not public and is refused"):
            client().get(f"http://{host}/", most_bytes=MOST, local=True)


def test_which_addresses_are_local() -> None:
    for address in ("http://127.0.0.1/", "http://localhost:8000/a", "http://10.1.2.3/", "http://[::1]/"):
        assert is_local(address), address
    for address in ("http://93.184.215.14/", "http://nowhere.invalid/", "http://["):
        assert not is_local(address), address


def test_a_host_that_is_public_too_is_not_local(monkeypatch) -> None:
    """Whoever owns the name could otherwise open the user's network to the manifests on it."""
    numbers = {"both.example": ("10.0.0.1", "93.184.215.14"), "inside.example": ("10.0.0.1", "fd00::1")}
    monkeypatch.setattr(
        http.socket,
        "getaddrinfo",
        lambda host, *_, **__: [(2, 1, 6, "", (number, 80)) for number in numbers[host]],
    )
    assert is_local("http://inside.example/") and not is_local("http://both.example/")


def test_behind_a_proxy_hosts_that_are_numbers_are_checked(museum, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", museum.address)
    monkeypatch.setenv("no_proxy", "")
    museum.documents["http://museum.example/a"] = b"through the proxy"
    assert client().get("http://museum.example/a", most_bytes=MOST).data == b"through the proxy"
    for host in ("169.254.169.254", "10.0.0.1", "localhost", "[::1]"):
        with pytest.raises(FetchError, match="is not public and is refused"):
            client().get(f"http://{host}/a", most_bytes=MOST)


@pytest.mark.parametrize(
    "address", ["ftp://x/a", "file:///etc/passwd", "/a", "", "http://", "http://[", "http://a:b/"]
)
def test_what_is_no_web_address(address: str) -> None:
    with pytest.raises(FetchError, match="is not a web address"):
        client().get(address, most_bytes=MOST)


def test_addresses_with_odd_characters(museum) -> None:
    museum.documents["/%C3%A9%20/a%7F?b=%22%3C"] = b"odd"
    assert get(museum, '/é /a\x7f?b="<#part').data == b"odd"
    assert get(museum, "/\na\r").data == b"the body"  # as browsers read it


def test_a_host_that_sends_nothing_is_left_in_peace(museum) -> None:
    museum.always["/a"] = status(503)
    impatient = client(retries=0)
    for _ in range(5):
        with pytest.raises(FetchError, match="HTTP 503"):
            impatient.get(museum.address + "/a", most_bytes=MOST, local=True)
    with pytest.raises(FetchError, match="is not asked again: it did not send 5 files in a row"):
        impatient.get(museum.address + "/a", most_bytes=MOST, local=True)
    assert len(museum.requests) == 5


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(FetchError, match="refused") as raised:
        client(retries=1).get(f"http://127.0.0.1:{port}/a", most_bytes=MOST, local=True)
    assert raised.value.temporary


def test_a_check_that_fails_for_now_is_tried_again(museum) -> None:
    whole = jpeg(20, 20)
    museum.documents["/a"] = whole
    museum.faults["/a"] = [without_length(whole[:50])] * 2

    def check(response: Response) -> None:
        if len(response.data) < len(whole):
            raise FetchError("cut", temporary=True)

    polite = client()
    assert polite.get(museum.address + "/a", most_bytes=MOST, local=True, check=check).data == whole
    assert len(museum.requests) == 3
    museum.always["/b"] = without_length(whole[:50])
    for _ in range(6):  # what a server sends is not a reason to leave it
        with pytest.raises(FetchError, match="cut"):
            polite.get(museum.address + "/b", most_bytes=MOST, local=True, check=check)

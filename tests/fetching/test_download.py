from __future__ import annotations

import hashlib
import random
from collections import Counter

import pytest
from figshare_stand_in import StandIn, serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError
from arttl.fetching import pace
from arttl.fetching.download import RemoteFile, download

DATA = random.Random(3).randbytes(300_000)


def remote(server: StandIn, name: str = "a.zip") -> RemoteFile:
    data = server.files[name]
    return RemoteFile(name, f"{server.api}/download/{name}", len(data), hashlib.md5(data).hexdigest())


def test_a_broken_connection_goes_on_where_it_broke(tmp_path) -> None:
    seen: list[int] = []
    with serving(StandIn({"a.zip": DATA}, break_after=70_000)) as server:
        path = download(remote(server), tmp_path, progress=seen.append, pause=0)
    assert path.read_bytes() == DATA and list(tmp_path.iterdir()) == [path]
    starts = [wanted for _, wanted in server.requests]
    assert starts == [None, "bytes=70000-", "bytes=140000-", "bytes=210000-", "bytes=280000-"]
    assert seen[-1] == len(DATA) and seen == sorted(seen)


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(tmp_path) -> None:
    with serving(StandIn({"a.zip": DATA}, break_after=0)) as server:
        (tmp_path / "a.zip.part").write_bytes(DATA[:123_456])
        with pytest.raises(
            ArttlError, match=r"123,456 of 300,000 bytes are here, and the same command resumes it"
        ):
            download(remote(server), tmp_path, pause=0)
        assert len(server.requests) == 6
        server.break_after = None
        assert download(remote(server), tmp_path, pause=0).read_bytes() == DATA
        assert server.requests[-1] == ("a.zip", "bytes=123456-")
        count = len(server.requests)
        download(remote(server), tmp_path, pause=0)  # whole: nothing is asked for
        assert len(server.requests) == count


def test_a_server_without_ranges_sends_it_from_the_start(tmp_path) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    with serving(StandIn({"a.zip": DATA}, ranges=False)) as server:
        assert download(remote(server), tmp_path, pause=0).read_bytes() == DATA


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(step=st.integers(20_000, 400_000), left=st.integers(0, 310_000), good=st.booleans())
def test_whatever_was_left_and_wherever_it_breaks(tmp_path_factory, step: int, left: int, good: bool) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.zip.part").write_bytes((DATA + b"?" * 10_000)[:left] if good else b"?" * left)
    with serving(StandIn({"a.zip": DATA}, break_after=step)) as server:
        assert download(remote(server), folder, pause=0).read_bytes() == DATA


def test_a_wrong_sum_once_is_fetched_again_and_twice_is_an_error(tmp_path) -> None:
    with serving(StandIn({"a.zip": DATA}, wrong_sums=Counter({"a.zip": 1}))) as server:
        assert download(remote(server), tmp_path, pause=0).read_bytes() == DATA
        assert len(server.requests) == 2
        (tmp_path / "a.zip").unlink()
        server.wrong_sums["a.zip"] = 9
        with pytest.raises(ArttlError, match=r"a.zip arrived twice with a wrong MD5 sum"):
            download(remote(server), tmp_path, pause=0)
    assert list(tmp_path.iterdir()) == []


def test_passing_errors_are_waited_out_and_lasting_ones_are_not(tmp_path) -> None:
    with serving(StandIn({"a.zip": DATA}, status={"a.zip": [503, 429, 500]})) as server:
        assert download(remote(server), tmp_path, pause=0).read_bytes() == DATA
        (tmp_path / "a.zip").unlink()
        server.requests.clear()
        server.status["a.zip"] = [404]
        with pytest.raises(ArttlError, match=r"a.zip cannot be downloaded: .* returns 404"):
            download(remote(server), tmp_path, pause=0)
        assert len(server.requests) == 1


def test_a_server_that_is_not_there(tmp_path) -> None:
    with serving(StandIn({"a.zip": DATA})) as server:
        gone = remote(server)
    with pytest.raises(ArttlError, match=r"a.zip cannot be downloaded from .*refused.*: 0 of 300,000 bytes"):
        download(gone, tmp_path, pause=0)


def test_a_server_that_drips_is_left(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pace, "SECONDS_PER_MIB", 0.3)
    with serving(StandIn({"a.zip": DATA[:100]}, pause=0.05)) as server:
        with pytest.raises(
            ArttlError,
            match=r"less than 1 MiB arrived in 0\.3 s\): \d of 100 bytes are here, and the same command",
        ):
            download(remote(server), tmp_path, pause=0)
        assert len(server.requests) == 1

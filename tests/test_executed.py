"""What runs the pages fails where a reader would, and passes nothing over in silence."""

from __future__ import annotations

from pathlib import Path

import documented
import pytest
from documented import Shown
from executed import run_blocks

PAGE = """
<!-- first:
images = [1, 2]
-->
```python
count = len(images)
```

<!-- not run: it needs a network -->
```python
raise SystemExit
```

```
arttl shards --metadata absent.csv \\
    --out shards/mine
```
"""


@pytest.fixture
def blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Shown]:
    monkeypatch.setattr(documented, "REPOSITORY", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    return list(documented.blocks(page))


def test_names_come_from_the_comment_and_reasons_are_printed(
    blocks: list[Shown], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_blocks(blocks[:2])["count"] == 2
    assert capsys.readouterr().out == "page.md:11 is not run: it needs a network\n"


def test_a_command_that_ends_with_an_error_fails(blocks: list[Shown]) -> None:
    with pytest.raises(
        AssertionError, match=r"page\.md:15: arttl shards --metadata absent\.csv +--out shards/mine"
    ):
        run_blocks(blocks[2:])


def test_a_line_that_is_no_command_of_arttl_fails() -> None:
    line = Shown("page.md", 1, "jq .samples samples.json\n")
    with pytest.raises(pytest.fail.Exception, match=r"nothing here can run 'jq \.samples samples\.json'"):
        run_blocks([line])


def test_a_python_block_fails_at_its_line(blocks: list[Shown]) -> None:
    block = Shown("page.md", 41, "\nabsent\n", language="python")
    with pytest.raises(NameError) as failure:
        run_blocks([block])
    assert (str(failure.traceback[-1].path), failure.traceback[-1].lineno + 1) == ("page.md", 42)

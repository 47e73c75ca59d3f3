"""Completion as bash does it, with the script that `arttl --print-completion bash` prints."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arttl.cli import COMMANDS, forms_of

MAIN = [sys.executable, "-c", "from arttl.cli import main; main()", "--print-completion"]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    path = tmp_path_factory.mktemp("completion") / "arttl.bash"
    path.write_text(subprocess.run([*MAIN, "bash"], capture_output=True, text=True, check=True).stdout)
    return path


def completed(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    code = (
        f'. "{script}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _arttl; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "-c", code, "-", "arttl", *words], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.slow
def test_every_command_and_its_commands_are_offered(script: Path) -> None:
    assert set(completed(script, "")) == {*COMMANDS, "--help", "--version"}
    for name in COMMANDS:
        offered = set(completed(script, name, ""))
        for form in forms_of(name):
            words = form.prog.split()[1:]
            assert words[1:] == [] or words[1] in offered
            assert "--help" in completed(script, *words, "--")


@pytest.mark.slow
def test_flags_and_their_values(script: Path) -> None:
    assert completed(script, "tra") == ["train"]
    assert completed(script, "train", "--eng") == ["--engine"]
    assert completed(script, "train", "--engine", "dali-") == ["dali-gpu", "dali-cpu"]
    assert completed(script, "train", "--shards", "") == []  # bash offers files instead
    assert "--epochs" in completed(script, "train", "--resume", "--")
    assert "--decisions" in completed(script, "shards", "relabel", "--dec")
    assert completed(script, "shards", "rel") == ["relabel"]
    assert set(completed(script, "export", "--to", "")) == {"onnx", "torch", "huggingface"}


def test_another_shell_ends_in_a_sentence() -> None:
    done = subprocess.run([*MAIN, "csh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"error: --print-completion 'csh': there are scripts for bash and zsh\n", done.stderr)

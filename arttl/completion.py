"""Completion of the `arttl` command in a shell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SHELLS = ("bash", "zsh")

_SCRIPT = """\
_arttl() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" command="" words=""
  if [ "$COMP_CWORD" -gt 1 ]; then command="${{COMP_WORDS[1]}}"; fi
  if [ "$COMP_CWORD" -gt 2 ]; then
    case "$command ${{COMP_WORDS[2]}}" in
      {pairs}) command="$command ${{COMP_WORDS[2]}}" ;;
    esac
  fi
  case "$command $previous" in
{values}
    *)
      case "$command" in
{commands}
      esac ;;
  esac
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
}}
complete -o default -F _arttl arttl
"""


def completion(
    shell: str, following: Mapping[str, Iterable[str]], values: Mapping[str, Iterable[str]]
) -> str:
    """A script that a shell reads to complete commands, flags and the values of flags; files where none of these fits.

    Args:
        shell: one of `SHELLS`.
        following: what may follow a command, by its words: "" for `arttl` itself, "train", "shards info".
        values: of a flag that takes one, by command and flag, as "train --engine"; nothing where it takes any.
    """
    pairs = "|".join(f'"{words}"' for words in following if " " in words)
    script = _SCRIPT.format(
        pairs=pairs,
        values="\n".join(f'    "{key}") words="{" ".join(words)}" ;;' for key, words in values.items()),
        commands="\n".join(
            f'        "{key}") words="{" ".join(words)}" ;;' for key, words in following.items()
        ),
    )
    # zsh runs bash's functions once it is asked to.
    begin = "autoload -U +X compinit && compinit -u\nautoload -U +X bashcompinit && bashcompinit\n"
    return (begin if shell == "zsh" else "") + script

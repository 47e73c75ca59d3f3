"""Weights that other programs saved: reading a file without executing it, and locating a network in it.

Neighbours wrap a network's tensors in several ways: in an entry of the file (`state_dict`, `model`), behind a prefix
(`module.` of data-parallel training, `model.` of Lightning), within names (`_orig_mod.` of torch.compile), and beside a
moving average of themselves (`state_dict_ema`, `model_ema`). All of it is recognised by the names of the tensors alone.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from arttl.errors import ArttlError

_DAMAGED = "it is damaged, incomplete or of another kind; download or save it again"
# First bytes of what is often given in place of weights, and what to do with it.
_OTHER_KINDS = (
    (b"\x89HDF", "it is HDF5, as Keras saves it; turn it into a model folder with arttl import-keras"),
    (b"\x93NUMPY", "it is an array of NumPy; give a .safetensors or .pth file"),
    (
        b"version https://git-lfs",
        "it is a pointer of Git LFS, not the file itself; fetch that with git lfs pull",
    ),
    (b"<!doctype", "it is a web page; download the file itself"),
    (b"<html", "it is a web page; download the file itself"),
)
_OWN_ENTRIES = ("", "state_dict", "model", "model_state_dict")
# What wrappers of modules insert into the names of their tensors, at any depth.
_WRAPPERS = re.compile(r"(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_DEEPEST = 3  # of entries within entries


@dataclass(frozen=True)
class Match:
    """A network's tensors in a file."""

    entry: str
    """Of the file, such as `state_dict`; empty where the tensors are the file."""
    prefix: str
    """Of their names there."""
    tensors: dict[str, torch.Tensor]
    """By the network's own names."""
    left_out: tuple[str, ...]
    """Names of the other tensors of the entry."""

    @property
    def label(self) -> str:
        """The entry and the prefix, as one name."""
        return ".".join(part for part in (self.entry, self.prefix.rstrip(".")) if part)

    @property
    def is_average(self) -> bool:
        """Whether it is a moving average of weights (EMA), by its name."""
        return "ema" in re.split(r"[._]", self.label.lower())


def read_tensors(path: Path, *, is_trusted: bool = False) -> dict[str, dict[str, torch.Tensor]]:
    """Read a file of tensors, told by what it holds and not by its name; nothing is executed.

    Args:
        path: safetensors, or what `torch.save` wrote, of tensors and plain values (and an `argparse.Namespace`, which
            timm's checkpoints hold as `args`).
        is_trusted: the file of an installed package, which announces no more than it holds; to look takes a second.

    Returns:
        Per entry of the file that holds tensors, name to tensor; the file itself is the entry "".

    Raises:
        ArttlError: if it is something else, or damaged.
    """
    try:
        with path.open("rb") as file:
            first = file.read(64)
        if _is_safetensors(path, first):
            state = load_file(path)
        else:
            state = _load_plain(path) if is_trusted else _load_pickled(path, first)
    except ArttlError:
        raise
    except OSError as error:
        raise _unreadable(path, error.strerror or _DAMAGED) from error
    except Exception as error:  # torch raises whatever its pickled bytes lead to
        raise _unreadable(path, _DAMAGED) from error
    if not isinstance(state, Mapping) or not (entries := dict(_entries(state, "", set(), _DEEPEST))):
        raise ArttlError(f"the weights {path} hold no named tensors; save a network's state_dict")
    return entries


def find_network(network: nn.Module, name: str, path: Path) -> Match:
    """Read a file and locate all tensors of a network in it; a moving average is preferred, as timm does.

    Args:
        network: whose tensors are sought.
        name: of the network, for messages.
        path: the file.

    Raises:
        ArttlError: if the file cannot be read, lacks a tensor or has it in another shape, or holds several networks
            that fit.
    """
    own = network.state_dict(keep_vars=True)
    matches = [match for entry in read_tensors(path).items() for match in _matches(own, *entry)]
    complete = [match for match in matches if not _missing(own, match.tensors)]
    fitting = [match for match in complete if not misfits(match.tensors, own)]
    if not fitting:
        raise _no_network(own, name, path, complete or matches)
    for choice in (
        [match for match in fitting if match.is_average],
        [match for match in fitting if match.entry in _OWN_ENTRIES],
        fitting,
    ):
        distinct = [match for match in choice[1:] if not _same(match, choice[0])]
        if distinct:
            raise ArttlError(
                f"the weights {path} hold two networks that fit, {choice[0].label!r} and {distinct[0].label!r}; save"
                " one of them alone"
            )
        if choice:
            break
    return choice[0]


def without_counters(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors but for timm's counters of batches seen, which files may lack."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def misfits(state: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of the tensors whose shape is not that of the network's own."""
    return [name for name, tensor in state.items() if tensor.shape != own[name].shape]


def _unreadable(path: Path, reason: str) -> ArttlError:
    return ArttlError(f"the weights {path} cannot be read as tensors alone: {reason}")


def _is_safetensors(path: Path, first: bytes) -> bool:
    """Whether a file begins with the length of a JSON header, and that header."""
    length = int.from_bytes(first[:8], "little")
    return first[8:9] == b"{" and length <= path.stat().st_size - 8


def _load_pickled(path: Path, first: bytes) -> Any:
    if not first:
        raise _unreadable(path, "it is empty; download or save it again")
    for signature, reason in _OTHER_KINDS:
        if first.lstrip().lower().startswith(signature.lower()):
            raise _unreadable(path, reason)
    try:
        if first.startswith(b"PK"):
            _check_archive(path)
        else:
            _check_sizes(path)
        return _load_plain(path)
    except pickle.UnpicklingError as error:
        names = _refused_classes(path)
        if not names:
            raise
        raise _unreadable(
            path,
            f"it also holds objects of {names}, which are never loaded; save the network's state_dict alone",
        ) from error


class _Remaining(io.BufferedReader):
    """A file that is asked for no more bytes than it has left: memory is taken before they are read."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file."""
        left = max(0, os.fstat(self.fileno()).st_size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def _load_plain(path: Path) -> Any:
    # The one class beside tensors and plain values: loading it sets attributes and calls nothing.
    # Opened here, since torch reads some names, such as .safetensors, as other formats.
    with (
        torch.serialization.safe_globals([argparse.Namespace]),
        path.open("rb", buffering=0) as unbuffered,
        _Remaining(unbuffered) as file,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of unusual pickles, which load or do not
        return torch.load(file, map_location="cpu", weights_only=True)


def _check_sizes(path: Path) -> None:
    """Refuse what PyTorch before 1.6 saved if it announces more than it holds: memory is taken before it is read."""
    with FakeTensorMode():
        state = _load_plain(path)
    if not isinstance(state, Mapping):
        return
    size = path.stat().st_size
    for _, tensors in _entries(state, "", set(), _DEEPEST, "meta"):
        if any(tensor.untyped_storage().nbytes() > size for tensor in tensors.values()):
            raise _unreadable(path, _DAMAGED)


def _check_archive(path: Path) -> None:
    """Refuse archives that PyTorch did not write: compressed ones take any amount of memory."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    names = {member.filename.rpartition("/")[2] for member in members}
    if "model.weights.h5" in names:
        raise _unreadable(path, "it is a model of Keras; turn it into a model folder with arttl import-keras")
    if "constants.pkl" in names:
        raise _unreadable(path, "it is a TorchScript program; save the network's state_dict alone")
    if "data.pkl" not in names or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise _unreadable(path, "it is an archive that torch.save did not write; unpack it, or save it again")


def _refused_classes(path: Path) -> str:
    try:
        with path.open("rb") as file:
            names = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except Exception:  # it reads the same bytes, which may be damaged as well
        return ""
    names = sorted(name for name in names if name != "argparse.Namespace")
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _entries(
    state: Mapping[Any, Any], entry: str, seen: set[int], deepest: int, device: str = "cpu"
) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    seen.add(id(state))  # a mapping may hold itself
    tensors = {
        str(name): value
        for name, value in state.items()
        if isinstance(value, torch.Tensor) and value.device.type == device and value.layout == torch.strided
    }
    if tensors:
        yield entry, tensors
    for name, value in state.items():
        if isinstance(value, Mapping) and id(value) not in seen and deepest:
            yield from _entries(value, f"{entry}.{name}" if entry else str(name), seen, deepest - 1, device)


def _matches(
    own: Mapping[str, torch.Tensor], entry: str, tensors: dict[str, torch.Tensor]
) -> Iterator[Match]:
    """What an entry holds of a network, per prefix before the network's names."""
    plain = {_WRAPPERS.sub("", name): name for name in tensors}
    needed = list(without_counters(own))
    prefixes = {
        name[: -len(last)]
        for name, last in itertools.product(plain, {needed[0], needed[-1]})
        if name == last or name.endswith(f".{last}")
    }
    for prefix in sorted(prefixes | {""}):
        names = {name: plain[prefix + name] for name in own if prefix + name in plain}
        used = set(names.values())
        yield Match(
            entry,
            prefix,
            {name: tensors[theirs] for name, theirs in names.items()},
            tuple(name for name in tensors if name not in used),
        )


def _missing(own: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Names that are not in a file, under none of the names of a tensor that several layers share."""
    present = {id(own[name]) for name in tensors}
    return [name for name, tensor in without_counters(own).items() if id(tensor) not in present]


def _same(match: Match, other: Match) -> bool:
    return match.tensors.keys() == other.tensors.keys() and all(
        torch.equal(tensor, other.tensors[name]) for name, tensor in match.tensors.items()
    )


def _no_network(own: Mapping[str, torch.Tensor], name: str, path: Path, matches: list[Match]) -> ArttlError:
    closest = max(matches, key=lambda match: len(match.tensors))
    if missing := _missing(own, closest.tensors):
        return ArttlError(
            f"the weights {path} are not of {name}: {len(missing)} of its {len(without_counters(own))} tensors are not"
            f" in the file, {missing[0]!r} first"
        )
    wrong = misfits(closest.tensors, own)[0]
    return ArttlError(
        f"the weights {path} are not of {name}: {wrong!r} is {tuple(closest.tensors[wrong].shape)} and should be"
        f" {tuple(own[wrong].shape)}"
    )

"""The epochs of a run: a line on the terminal, a line of `metrics.jsonl`, and the curves of TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING

from arttl.console import Reporter
from arttl.files import writing
from arttl.runs import RunFolder, on_first_rank
from arttl.training.checkpoints import Epoch

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class EpochReporter(Reporter):
    """A reporter of a run, whose folder gets the lines of `metrics.jsonl` and `tensorboard/`."""

    def __init__(self, main: bool, run: RunFolder) -> None:
        """Report on a run.

        Args:
            main: whether this is the first rank.
            run: the folder, which must have been begun.
        """
        super().__init__(main)
        self._run = run

    def write(self, line: Mapping[str, object]) -> None:
        """Append a line to `metrics.jsonl`. Every rank must call this."""
        on_first_rank(lambda: self._run.append(line))

    def epoch(self, epoch: Epoch, seconds: float) -> None:
        """Print an epoch's line and keep it. Every rank must call this."""
        accuracy = "  ".join(f"{name} {100 * value:.1f}%" for name, value in epoch.val_accuracy.items())
        self.say(
            f"epoch {epoch.epoch:3d}  loss {epoch.train_loss:.3f}  validation loss {epoch.val_loss:.3f}"
            f"{' *' if epoch.best else '  '}  {accuracy}  {seconds:.1f} s"
        )
        on_first_rank(lambda: self._keep(epoch, seconds))

    def _keep(self, epoch: Epoch, seconds: float) -> None:
        self._run.append({**asdict(epoch), "seconds": round(seconds, 3)})
        with writing(self._run.tensorboard):
            self._board.add_scalar("loss/train", epoch.train_loss, epoch.epoch)
            self._board.add_scalar("loss/validation", epoch.val_loss, epoch.epoch)
            for name, value in epoch.val_accuracy.items():
                self._board.add_scalar(f"validation accuracy/{name}", value, epoch.epoch)
            self._board.flush()

    @cached_property
    def _board(self) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter  # half a second, which off-the-shelf need not wait

        return SummaryWriter(str(self._run.tensorboard))

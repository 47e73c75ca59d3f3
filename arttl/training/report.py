"""The epochs of a run: a line on the terminal, a line of `metrics.jsonl`, and the curves of TensorBoard."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING

from arttl.console import Reporter
from arttl.training.checkpoints import Epoch

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class EpochReporter(Reporter):
    """A reporter that knows of epochs; its run folder gets `tensorboard/` too."""

    def epoch(self, epoch: Epoch, seconds: float) -> None:
        """Print an epoch's line and keep it."""
        accuracy = "  ".join(f"{name} {100 * value:.1f}%" for name, value in epoch.val_accuracy.items())
        self.say(
            f"epoch {epoch.epoch:3d}  loss {epoch.train_loss:.3f}  validation loss {epoch.val_loss:.3f}"
            f"{' *' if epoch.best else '  '}  {accuracy}  {seconds:.1f} s"
        )
        self.write({**asdict(epoch), "seconds": round(seconds, 3)})
        if self._board is not None:
            self._board.add_scalar("loss/train", epoch.train_loss, epoch.epoch)
            self._board.add_scalar("loss/validation", epoch.val_loss, epoch.epoch)
            for name, value in epoch.val_accuracy.items():
                self._board.add_scalar(f"validation accuracy/{name}", value, epoch.epoch)
            self._board.flush()

    @cached_property
    def _board(self) -> SummaryWriter | None:
        if self._folder is None:
            return None
        from torch.utils.tensorboard import SummaryWriter  # half a second, which off-the-shelf need not wait

        return SummaryWriter(str(self._folder / "tensorboard"))

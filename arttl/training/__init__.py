"""Losses, the training loop and the run folder."""

from arttl.late_dynamo import import_later

import_later()

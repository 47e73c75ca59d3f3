"""The nearest of many features, exactly."""

from __future__ import annotations

import torch
import torch.nn.functional as F

_QUERIES, _REFERENCES = 1024, 32_768  # of a block, to bound the memory: 128 MiB of similarities


def unit_length(features: torch.Tensor) -> torch.Tensor:
    """Features [N, D] as float32 vectors of length one; a vector of zeros stays one."""
    return F.normalize(features.float(), dim=1)


@torch.inference_mode()
def nearest(queries: torch.Tensor, references: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The most similar references of each query, by the cosine of the angle between them.

    Args:
        queries: [N, D], of length one.
        references: [M, D], likewise, float32 or float16.
        count: K, at most M.

    Returns:
        Similarities [N, K] float32, highest first, and indices [N, K] int64 of the references; of equal similarities
        within K the lower index comes first.
    """
    similarities, indices = [], []
    for query in queries.split(_QUERIES):
        best = query.new_empty((len(query), 0))
        best_index = torch.empty((len(query), 0), dtype=torch.int64, device=query.device)
        first = 0
        for block in references.split(_REFERENCES):
            values, index = (query @ block.to(query.dtype).T).topk(min(count, len(block)), dim=1)
            best, best_index = torch.cat([best, values], 1), torch.cat([best_index, index + first], 1)
            first += len(block)
            order = best_index.argsort(1)
            order = order.gather(1, best.gather(1, order).argsort(dim=1, descending=True, stable=True))
            order = order[:, :count]
            best, best_index = best.gather(1, order), best_index.gather(1, order)
        similarities.append(best)
        indices.append(best_index)
    return torch.cat(similarities), torch.cat(indices)

"""Mistakes to put into copies of the CUDA sources, and how the emulation reports each."""

from __future__ import annotations

from typing import NamedTuple

VALUES = "Tensor-likes are not"  # what torch says of results unlike the twin's


class Mistake(NamedTuple):
    name: str
    file: str
    right: str
    wrong: str
    finding: str  # a regular expression of the fault


MEAN, WALK, LAUNCH = "cuda/channel_mean.cu", "cuda/backproject.cu", "cuda/launch.cuh"
EVIDENCE = "cuda/class_evidence.cu"
MISTAKES = [
    Mistake(
        "barrier after the partial sums",
        MEAN,
        "    __syncthreads();\n    // The first",
        "    // The first",
        "unwritten|race",
    ),
    Mistake(
        "barrier before the next image",
        MEAN,
        "    Team<kBlocks>::sync();  // `partial` may",
        "    // may",
        "race.* dynamic shared|cluster: ",
    ),
    Mistake(
        "barrier of the cluster before its blocks' sums",
        MEAN,
        "      Team<kBlocks>::sync();\n      sum",
        "      sum",
        "cluster: .* not have started",
    ),
    Mistake(
        "barrier of the block for one of the cluster",
        LAUNCH,
        "      cluster().sync();",
        "      __syncthreads();",
        "cluster: .* not have started",
    ),
    Mistake(
        "lanes that return before a shuffle",
        MEAN,
        "  float sums[kLoads] = {};",
        "  if (lane >= packs) return;\n  float sums[kLoads] = {};",
        "lanes: .* returned: ",
    ),
    Mistake("a mask that leaves lanes out", LAUNCH, "0xffffffffu", "0x0fffffffu", "lanes: .* leaves out"),
    Mistake("too few shuffles", MEAN, "bit < kLanes; bit", "bit < kLanes / 2; bit", VALUES),
    Mistake(
        "lanes that keep the same pixel", MEAN, "      if (is_upper) mine += count;\n", "", "unwritten|race"
    ),
    Mistake("one pack too many", MEAN, "pack < packs; pack", "pack <= packs; pack", "bounds.* input"),
    Mistake("a group past the end", MEAN, "pixels - 1) * packs", "pixels) * packs", "bounds.* input"),
    Mistake(
        "one column of packs too many", MEAN, "if (pack < packs) {", "if (pack <= packs) {", "bounds.* input"
    ),
    Mistake(
        "one channel too many",
        MEAN,
        "next[c + i * kStep < channels",
        "next[c + i * kStep <= channels",
        "bounds.* input",
    ),
    Mistake("one pixel too many", MEAN, "position < pixels;", "position <= pixels;", "race|bounds"),
    Mistake(
        "a load of 16 bytes that is not aligned",
        MEAN,
        "address % 16 == 0 && ",
        "",
        "undefined: .*misaligned address",
    ),
    Mistake(
        "a load of 8 bytes that is not aligned",
        MEAN,
        "address % 8 == 0 && ",
        "",
        "undefined: .*misaligned address",
    ),
    Mistake(
        "packs across the ends of planes",
        MEAN,
        "row % kWide == 0",
        "row % kHalf == 0",
        f"unwritten|undefined|{VALUES}",
    ),
    Mistake(
        "the next image's plane",
        MEAN,
        "input + image * channels * pixels",
        "input + (image + 1) * channels * pixels",
        "bounds.* input",
    ),
    Mistake(
        "means by every block of a cluster",
        MEAN,
        "if (is_owner && rank == 0) output",
        "if (is_owner) output",
        "race.* of output, which a thread of another block",
    ),
    Mistake(
        "a block's sums forgotten", MEAN, "block < kBlocks; ++block", "block < kBlocks - 1; ++block", VALUES
    ),
    Mistake(
        "a block that the cluster does not have",
        MEAN,
        "block < kBlocks; ++block",
        "block <= kBlocks; ++block",
        "cluster: .* does not have",
    ),
    Mistake(
        "shared memory that is too small",
        MEAN,
        "kThreads * kCount * sizeof(float)}",
        "kThreads * kCount * sizeof(T) / 2}",
        "bounds: .* dynamic",
    ),
    Mistake(
        "a cluster on a card that has none",
        MEAN,
        " || blocks_of_cluster(call.device) < kBlocks",
        "",
        "not supported",
    ),
    Mistake(
        "a grid that clusters do not fill",
        MEAN,
        "static_cast<unsigned>(columns) * kBlocks",
        "static_cast<unsigned>(columns) * kBlocks + 1",
        "invalid config|bounds",
    ),
    Mistake(
        "a block of 2,048 threads",
        MEAN,
        "kThreads = 256",
        "kThreads = 2048",
        "invalid configuration|invalid argument",
    ),
    Mistake(
        "a cluster that is not asked for",
        LAUNCH,
        "shape.cluster > 1 ? 1 : 0",
        "0",
        "cluster: .* does not have",
    ),
    Mistake(
        "shared memory that is not asked for",
        LAUNCH,
        "if (shape.shared > kSharedBytes) {",
        "if (false) {",
        "invalid argument",
    ),
    Mistake(
        "shared memory asked for on one device alone",
        LAUNCH,
        "if (shape.shared > kSharedBytes) {",
        "static int asked = 0;\n  if (shape.shared > kSharedBytes && asked++ == 0) {",
        "invalid argument",
    ),
    Mistake(
        "a grid of 70,000 rows",
        LAUNCH,
        "images < kMaxGridYZ ? images : kMaxGridYZ",
        "images",
        "invalid config",
    ),
    Mistake(
        "a grid without its last block",
        LAUNCH,
        "ceil_div(items, per_block)",
        "items / per_block",
        "invalid|unwrit",
    ),
    Mistake(
        "kernels on the default stream", LAUNCH, "config.stream = stream", "config.stream = nullptr", "stream"
    ),
    Mistake(
        "the last device forgotten",
        LAUNCH,
        "if (changed_) cudaSetDevice(before_);",
        "",
        "current device is 1",
    ),
    Mistake(
        "a device that is not chosen",
        WALK,
        "  const DeviceGuard guard(device);\n",
        "",
        "invalid resource handle",
    ),
    Mistake(
        "barrier after the maxima are zero",
        WALK,
        "    Team::sync();  // from",
        "    // from",
        "unwritten|race|cluster: ",
    ),
    Mistake(
        "barrier after the ranges of the means",
        WALK,
        "      }\n      Team::sync();\n",
        "      }\n",
        "race.* dynamic shared",
    ),
    Mistake(
        "barrier after the deepest mean",
        WALK,
        "    Team::sync();\n    // The last",
        "    // The last",
        "race|unwritten",
    ),
    Mistake("barriers between the steps", WALK, "if (pass <= last) Team::sync();", "", "race|unwritten"),
    Mistake(
        "barrier before the output",
        WALK,
        "if (pass <= last) Team::sync();",
        "if (pass < last) Team::sync();",
        "race.* dynamic shared",
    ),
    Mistake(
        "barrier of the warp after its sums",
        WALK,
        "      __syncwarp();\n      for",
        "      for",
        "race|unwritten",
    ),
    Mistake(
        "barrier of the warp before the next row",
        WALK,
        "      }\n      __syncwarp();\n    }",
        "      }\n    }",
        "race.* dynamic shared",
    ),
    Mistake(
        "sums of all warps in one place",
        WALK,
        "sums = shared + warp * plan.widest",
        "sums = shared",
        "race.* dynamic shared",
    ),
    Mistake("maps in one place", WALK, "odd = even + plan.floats[0]", "odd = even", "race.* dynamic shared"),
    Mistake(
        "a map in one block alone",
        WALK,
        "    if (!kShared) {\n      map",
        "    if (true) {\n      map",
        "unwritten.* dynamic shared",
    ),
    Mistake(
        "maximum without an atomic",
        WALK,
        "atomicMax(Team::of_block(maximum, lane), value)",
        "*Team::of_block(maximum, lane) = max(*Team::of_block(maximum, lane), value)",
        "race.* dynamic shared",
    ),
    Mistake("maxima for one block alone", WALK, "lane < static_cast<int>(Team::size())", "lane < 1", VALUES),
    Mistake(
        "maxima for a block too many",
        WALK,
        "lane < static_cast<int>(Team::size())",
        "lane <= static_cast<int>(Team::size())",
        "cluster: .* does not have|race|bounds",
    ),
    Mistake(
        "rows that several blocks take",
        WALK,
        "warp * Team::size() + Team::rank()",
        "warp * Team::size()",
        "race|unwritten",
    ),
    Mistake(
        "a range that is read too early",
        WALK,
        "if (pass > last) {",
        "if (pass >= 0) {",
        "race.* dynamic shared",
    ),
    Mistake(
        "a map in the output while it is written",
        WALK,
        "even = plan.steps % 2 ? workspace : output;\n      odd = plan.steps % 2 ? output : workspace;",
        "even = plan.steps % 2 ? output : workspace;\n      odd = plan.steps % 2 ? workspace : output;",
        "race.* of output",
    ),
    Mistake(
        "room for a warp too few",
        WALK,
        "(warps * plan.widest + (fits",
        "((warps - 1) * plan.widest + (fits",
        "bounds: .* dynamic",
    ),
    Mistake(
        "maps that do not fit", WALK, "maps + kMostWarps * plan.widest <= limit", "true", "invalid argument"
    ),
    Mistake(
        "a size that is not passed on", WALK, "    size = step.size;\n", "", f"race|bounds|unwritten|{VALUES}"
    ),
    Mistake(
        "averages of a step that adds up",
        WALK,
        "1u << plan.steps % 32",
        "2u << plan.steps % 32",
        VALUES,
    ),
    Mistake("positions past the end of a map", EVIDENCE, "pixel >= pixels", "pixel > pixels", "bounds|race"),
    Mistake(
        "the next map's logits",
        EVIDENCE,
        "logits + image * outputs",
        "logits + (image + 1) * outputs",
        "bounds|race",  # the maps may lie behind the logits
    ),
    Mistake("the class of another map", EVIDENCE, "classes[image],", "classes[0],", VALUES),
    Mistake(
        "an output too many",
        "arithmetic.h",
        "b < outputs; ++b) {\n      // The",
        "b <= outputs; ++b) {\n      // The",
        f"bounds|{VALUES}",
    ),
    Mistake(
        "one row too many",
        "arithmetic.h",
        "row <= rows.last; ++row) sum",
        "row <= rows.last + 1; ++row) sum",
        f"bounds|unwritten|race|{VALUES}",
    ),
    Mistake(
        "a maximum that loses NaN",
        "arithmetic.h",
        "value < floor ? floor : value",
        "value > floor ? value : floor",
        VALUES,
    ),
]

// A batch of stored pictures that any number of threads fill, each by one call without the interpreter lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels.h"

namespace arttl {

// What the pictures of a batch share.
struct BatchSettings {
  int filter;  // a Filter
  Color3 scale, shift;
  int dtype;            // a DType: float32 or bfloat16
  std::int64_t size;    // side of the squares
  std::int64_t pixels;  // the most that a picture may have
  std::int64_t scans;   // the most that a file may have
};

// Addresses of the arrays of a batch of B pictures, which outlive it.
struct BatchArrays {
  std::uintptr_t shard;      // [B] int64, indices of paths
  std::uintptr_t span;       // [B, 2] int64, offset in the shard and length of each file, in bytes
  std::uintptr_t sides;      // [B, 2] int32, height and width of each stored picture
  std::uintptr_t reduction;  // [B] int64, 1, 2, 4 or 8
  std::uintptr_t part;       // [B, 4] int64, of the pictures at 1/reduction, see crop_resize_normalise_cpu
  std::uintptr_t start;      // [B, 2] float64, likewise
  std::uintptr_t step;       // [B, 2] float64, likewise
  std::uintptr_t flip;       // [B] bool
  std::uintptr_t color;      // [B, 12] float32; null: colours stay
  std::uintptr_t output;     // [B, size, size, 3] of the dtype
};

class PictureBatch {
 public:
  // paths: of the shards, which are tars, in the file system's encoding (UTF-8 on Windows); members: the names of the
  // files in them.
  PictureBatch(std::vector<std::string> paths, std::vector<std::string> members, const BatchArrays& arrays,
               const BatchSettings& settings);

  // Fills pictures until all have been taken, then returns -1; or, before that, returns the index of a picture that
  // cannot be read or decoded here, of which nothing is written.
  std::int64_t fill();

  // Lets `fill` take no further pictures.
  void stop() { next_ = count_; }

 private:
  bool fill_one(std::int64_t index) const;
  bool read(std::int64_t index, std::uint8_t* to) const;

  std::vector<std::string> paths_, members_;
  BatchArrays arrays_;
  BatchSettings settings_;
  std::int64_t count_;
  std::atomic<std::int64_t> next_{0};
};

}  // namespace arttl

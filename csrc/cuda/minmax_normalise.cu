#include "arithmetic.h"
#include "cuda/launch.cuh"
#include "kernels.h"

namespace arttl {
namespace {

constexpr int kThreads = 256;
constexpr int kPixelsPerThread = 8;

// low and high are ordered_of codes. The minimum is kept as the maximum of the complement, so that both start at 0.
__global__ void __launch_bounds__(kThreads)
    find_range(const float* __restrict__ maps, std::uint32_t* __restrict__ low, std::uint32_t* __restrict__ high,
               std::int64_t images, std::int64_t pixels) {
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kThreads * kPixelsPerThread + threadIdx.x;
  for (std::int64_t image = blockIdx.y; image < images; image += gridDim.y) {
    std::uint32_t below = 0, above = 0;
#pragma unroll
    for (int k = 0; k < kPixelsPerThread; ++k) {
      const std::int64_t pixel = begin + k * kThreads;
      if (pixel < pixels) {
        const std::uint32_t code = ordered_of(maps[image * pixels + pixel]);
        below = max(below, ~code);
        above = max(above, code);
      }
    }
    below = block_max(below);
    above = block_max(above);
    if (threadIdx.x == 0) {
      atomicMax(low + image, below);
      atomicMax(high + image, above);
    }
  }
}

__global__ void __launch_bounds__(kThreads)
    normalise(const float* __restrict__ maps, const std::uint32_t* __restrict__ low,
              const std::uint32_t* __restrict__ high, float* __restrict__ output, std::int64_t images,
              std::int64_t pixels, float epsilon) {
  const std::int64_t pixel = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (pixel >= pixels) return;
  for (std::int64_t image = blockIdx.y; image < images; image += gridDim.y) {
    const float least = number_of(~low[image]);
    const float span = number_of(high[image]) - least + epsilon;
    output[image * pixels + pixel] = normalised(maps[image * pixels + pixel], least, span);
  }
}

}  // namespace

void minmax_normalise_cuda(std::uintptr_t maps, std::uintptr_t output, std::uintptr_t range, std::int64_t images,
                           std::int64_t pixels, float epsilon, int device, std::uintptr_t stream) {
  if (images * pixels == 0) return;
  const DeviceGuard guard(device);
  auto* low = reinterpret_cast<std::uint32_t*>(range);
  auto* high = low + images;
  const auto* input = reinterpret_cast<const float*>(maps);
  const unsigned rows = rows_for(images);
  check(cudaMemsetAsync(low, 0, 2 * images * sizeof(std::uint32_t), stream_of(stream)), "minmax_normalise");
  launch("minmax_normalise", &find_range, dim3(blocks_for(pixels, kThreads * kPixelsPerThread), rows), kThreads,
         stream_of(stream), input, low, high, images, pixels);
  launch("minmax_normalise", &normalise, dim3(blocks_for(pixels, kThreads), rows), kThreads, stream_of(stream), input,
         low, high, reinterpret_cast<float*>(output), images, pixels, epsilon);
}

}  // namespace arttl

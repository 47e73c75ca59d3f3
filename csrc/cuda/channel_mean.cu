#include <limits>

#include "arithmetic.h"
#include "cuda/launch.cuh"
#include "kernels.h"

namespace arttl {
namespace {

// kCount neighbours read by one instruction: 16 bytes where the layout keeps them aligned, else one element.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T values[kCount];
};

// Planar maps. Threads along x own neighbouring packs of pixels, so that a row of threads reads a run of one plane;
// threads along y divide the channels, so that even a 14x14 map of one image fills several blocks.
constexpr int kPackColumns = 8;
constexpr int kChannelRows = 32;

template <class T, int kCount>
__global__ void __launch_bounds__(kPackColumns* kChannelRows)
    mean_planar(const T* __restrict__ input, float* __restrict__ output, std::int64_t images, std::int64_t channels,
                std::int64_t pixels, float floor) {
  using P = Pack<T, kCount>;
  __shared__ float partial[kChannelRows][kPackColumns][kCount];
  const std::int64_t packs = pixels / kCount;
  const std::int64_t pack = static_cast<std::int64_t>(blockIdx.x) * kPackColumns + threadIdx.x;
  for (std::int64_t image = blockIdx.y; image < images; image += gridDim.y) {
    float sums[kCount] = {};
    if (pack < packs) {
      const P* plane = reinterpret_cast<const P*>(input + image * channels * pixels) + pack;
#pragma unroll 4
      for (std::int64_t c = threadIdx.y; c < channels; c += kChannelRows) {
        const P read = plane[c * packs];
#pragma unroll
        for (int k = 0; k < kCount; ++k) sums[k] += at_least(to_float(read.values[k]), floor);
      }
    }
#pragma unroll
    for (int k = 0; k < kCount; ++k) partial[threadIdx.y][threadIdx.x][k] = sums[k];
    __syncthreads();
    // The first threads of the block each add up one pixel's partial sums.
    const int pixel = threadIdx.y * kPackColumns + threadIdx.x;
    const std::int64_t position = static_cast<std::int64_t>(blockIdx.x) * kPackColumns * kCount + pixel;
    if (pixel < kPackColumns * kCount && position < pixels) {
      float sum = 0.0f;
      for (int row = 0; row < kChannelRows; ++row) sum += partial[row][pixel / kCount][pixel % kCount];
      output[image * pixels + position] = sum / static_cast<float>(channels);
    }
    __syncthreads();
  }
}

// Channels-last maps. A group of neighbouring lanes owns a pixel, and each lane some packs of its channels.
constexpr int kThreads = 256;

template <class T, int kCount>
__global__ void __launch_bounds__(kThreads)
    mean_interleaved(const T* __restrict__ input, float* __restrict__ output, std::int64_t channels,
                     std::int64_t all_pixels, int group, float floor) {
  using P = Pack<T, kCount>;
  const std::int64_t packs = channels / kCount;
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t pixel = thread / group;
  const int lane = static_cast<int>(thread % group);
  float sum = 0.0f;
  if (pixel < all_pixels) {
    const P* row = reinterpret_cast<const P*>(input + pixel * channels);
#pragma unroll 4
    for (std::int64_t pack = lane; pack < packs; pack += group) {
      const P read = row[pack];
#pragma unroll
      for (int k = 0; k < kCount; ++k) sum += at_least(to_float(read.values[k]), floor);
    }
  }
  for (int offset = group / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
  if (lane == 0 && pixel < all_pixels) output[pixel] = sum / static_cast<float>(channels);
}

template <class T, int kCount>
void run(const T* input, float* output, bool channels_last, std::int64_t images, std::int64_t channels,
         std::int64_t pixels, float floor, cudaStream_t stream) {
  if (channels_last) {
    int group = 1;
    while (group < kWarp && group * kCount < channels) group *= 2;
    launch("channel_mean", &mean_interleaved<T, kCount>, blocks_for(images * pixels * group, kThreads), kThreads,
           stream, input, output, channels, images * pixels, group, floor);
  } else {
    launch("channel_mean", &mean_planar<T, kCount>, dim3(blocks_for(pixels, kPackColumns * kCount), rows_for(images)),
           dim3(kPackColumns, kChannelRows), stream, input, output, images, channels, pixels, floor);
  }
}

template <class T>
void channel_mean(std::uintptr_t input, std::uintptr_t output, bool channels_last, std::int64_t images,
                  std::int64_t channels, std::int64_t pixels, float floor, cudaStream_t stream) {
  constexpr int kWide = 16 / sizeof(T);
  const bool aligned = input % 16 == 0 && (channels_last ? channels : pixels) % kWide == 0;
  const auto run_packs = aligned ? &run<T, kWide> : &run<T, 1>;
  run_packs(reinterpret_cast<const T*>(input), reinterpret_cast<float*>(output), channels_last, images, channels,
            pixels, floor, stream);
}

}  // namespace

void channel_mean_cuda(std::uintptr_t input, std::uintptr_t output, int dtype, bool channels_last, std::int64_t images,
                       std::int64_t channels, std::int64_t pixels, bool rectify, int device, std::uintptr_t stream) {
  if (images * pixels == 0) return;
  const DeviceGuard guard(device);
  const float floor = rectify ? 0.0f : -std::numeric_limits<float>::infinity();
  const auto run_typed = [&](auto* typed) {
    typed(input, output, channels_last, images, channels, pixels, floor, stream_of(stream));
  };
  switch (static_cast<DType>(dtype)) {
    case DType::kFloat32:
      return run_typed(&channel_mean<float>);
    case DType::kFloat16:
      return run_typed(&channel_mean<Float16>);
    case DType::kBFloat16:
      return run_typed(&channel_mean<BFloat16>);
  }
  throw std::invalid_argument("channel_mean: unknown dtype code");
}

}  // namespace arttl

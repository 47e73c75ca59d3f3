#include <limits>
#include <type_traits>

#include "arithmetic.h"
#include "cuda/launch.cuh"
#include "kernels.h"

namespace arttl {
namespace {

constexpr int kThreads = 256;
constexpr int kLoads = 4;  // that a thread has in flight: enough of them to keep the memory busy

// Blocks of a multiprocessor. For more of them ptxas saves registers, and then issues one load after the other.
constexpr int kPlanarBlocks = 4;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
constexpr int kInterleavedBlocks = 4;  // all that it has threads for
#else
constexpr int kInterleavedBlocks = 6;
#endif

// kCount neighbours read by one instruction: 16 bytes where the layout keeps them aligned, else 8, else one element.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T values[kCount];

  __device__ __forceinline__ float at(int k) const {
    if constexpr (std::is_same_v<T, BFloat16> && kCount > 1) {  // by one instruction, from the word of two numbers
      std::uint32_t word;
      memcpy(&word, &values[k / 2 * 2], sizeof word);
      return float_of(k % 2 ? word & 0xffff0000u : word << 16);
    }
    return to_float(values[k]);
  }
};

// Planar maps. Threads along x own neighbouring packs of pixels, so that a row of threads reads a run of one plane;
// threads along y divide the channels, and so do the blocks of a cluster where the maps of the batch are few and small.
template <class T, int kCount, int kColumns, unsigned kBlocks>
__global__ void __launch_bounds__(kThreads, kPlanarBlocks)
    mean_planar(const T* __restrict__ input, float* __restrict__ output, std::int64_t images, int channels, int pixels,
                float floor) {
  using P = Pack<T, kCount>;
  constexpr int kRows = kThreads / kColumns, kWidth = kColumns * kCount;
  constexpr int kStep = kRows * kBlocks;    // channels that are read at once
  auto* partial = dynamic_shared<float>();  // [kRows][kWidth], and in the first row their sum
  const unsigned rank = blockIdx.x % kBlocks;
  const int packs = pixels / kCount, column = blockIdx.x / kBlocks, pack = column * kColumns + threadIdx.x;
  for (std::int64_t image = blockIdx.y; image < images; image += gridDim.y) {
    float sums[kCount] = {};
    if (pack < packs) {
      const int first = threadIdx.y * kBlocks + rank;
      const std::int64_t step = static_cast<std::int64_t>(kStep) * packs;
      const P* next = reinterpret_cast<const P*>(input + image * channels * pixels) +
                      static_cast<std::int64_t>(first) * packs + pack;
#pragma unroll 1
      for (int c = first; c < channels; c += kStep * kLoads, next += kLoads * step) {
        // In place of a channel past the last the first of the four is read again and counts as zero, so that no load
        // depends on a condition.
        P read[kLoads];
#pragma unroll
        for (int i = 0; i < kLoads; ++i) read[i] = next[c + i * kStep < channels ? i * step : 0];
#pragma unroll
        for (int i = 0; i < kLoads; ++i) {
          if (c + i * kStep >= channels) read[i] = {};
#pragma unroll
          for (int k = 0; k < kCount; ++k) sums[k] += at_least(read[i].at(k), floor);
        }
      }
    }
#pragma unroll
    for (int k = 0; k < kCount; ++k) partial[threadIdx.y * kWidth + threadIdx.x * kCount + k] = sums[k];
    __syncthreads();
    // The first threads of the block each add up one pixel's partial sums, those of the first block the blocks' too.
    const int pixel = threadIdx.y * kColumns + threadIdx.x;
    const int position = column * kWidth + pixel;
    const bool is_owner = pixel < kWidth && position < pixels;
    float sum = 0.0f;
    if (is_owner) {
#pragma unroll 4
      for (int row = 0; row < kRows; ++row) sum += partial[row * kWidth + pixel];
    }
    if (kBlocks > 1) {
      if (is_owner) partial[pixel] = sum;
      Team<kBlocks>::sync();
      sum = 0.0f;
      if (is_owner && rank == 0) {
        for (unsigned block = 0; block < kBlocks; ++block) sum += Team<kBlocks>::of_block(partial, block)[pixel];
      }
    }
    if (is_owner && rank == 0) output[image * pixels + position] = sum / static_cast<float>(channels);
    Team<kBlocks>::sync();  // `partial` may be used again, or the blocks leave
  }
}

// Channels-last maps. A group of kLanes neighbouring lanes, as many as a pixel has packs and at most a warp, owns
// kLoads pixels and reads a pack of each at a time.
template <class T, int kCount, int kLanes>
__global__ void __launch_bounds__(kThreads, kInterleavedBlocks)
    mean_interleaved(const T* __restrict__ input, float* __restrict__ output, int channels, std::int64_t all_pixels,
                     float floor) {
  using P = Pack<T, kCount>;
  constexpr int kGroups = kThreads / kLanes;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kGroups * kLoads;
  const std::int64_t left = all_pixels - first;
  const int pixels = left < kGroups * kLoads ? static_cast<int>(left) : kGroups * kLoads;
  const int packs = channels / kCount, group = threadIdx.x / kLanes, lane = threadIdx.x % kLanes;
  const auto* block = reinterpret_cast<const P*>(input + first * channels);
  int rows[kLoads];  // the next pack of each pixel
#pragma unroll
  for (int i = 0; i < kLoads; ++i) {
    // A group past the end reads the last pixel, so that no load depends on a condition.
    rows[i] = min(group + i * kGroups, pixels - 1) * packs + lane;
  }
  float sums[kLoads] = {};
#pragma unroll 1
  for (int pack = lane; pack < packs; pack += kLanes) {
    P read[kLoads];
#pragma unroll
    for (int i = 0; i < kLoads; ++i) read[i] = block[rows[i]];
#pragma unroll
    for (int i = 0; i < kLoads; ++i) rows[i] += kLanes;
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
#pragma unroll
      for (int k = 0; k < kCount; ++k) sums[i] += at_least(read[i].at(k), floor);
    }
  }
  // Two lanes exchange halves of their sums as long as they have several, and then add up what they have: half as many
  // shuffles each time, and lanes that end with different pixels.
  int count = kLoads, mine = 0;
#pragma unroll
  for (int bit = 1; bit < kLanes; bit *= 2) {
    if (count > 1) {
      count /= 2;
      const bool is_upper = lane & bit;
#pragma unroll
      for (int i = 0; i < count; ++i) {
        const float kept = is_upper ? sums[i + count] : sums[i], given = is_upper ? sums[i] : sums[i + count];
        sums[i] = kept + __shfl_xor_sync(kAllLanes, given, bit);
      }
      if (is_upper) mine += count;
    } else {
      sums[0] += __shfl_xor_sync(kAllLanes, sums[0], bit);
    }
  }
#pragma unroll
  for (int i = 0; i < count; ++i) {
    const int pixel = group + (mine + i) * kGroups;
    if (lane < kLoads && pixel < pixels) output[first + pixel] = sums[i] / static_cast<float>(channels);
  }
}

template <class T>
struct Call {
  const T* input;
  float* output;
  std::int64_t images, channels, pixels;
  float floor;
  int device;
  cudaStream_t stream;
};

template <class T, int kCount, int kColumns, unsigned kBlocks = kMostBlocks>
void run_planar(const Call<T>& call) {
  const std::int64_t columns = ceil_div(call.pixels, kColumns * kCount);
  if constexpr (kBlocks > 1) {
    const std::int64_t processors = attribute_of(call.device, cudaDevAttrMultiProcessorCount);
    const bool is_small = columns * call.images * kBlocks <= 2 * processors;
    if (!is_small || blocks_of_cluster(call.device) < kBlocks) return run_planar<T, kCount, kColumns, 1>(call);
  }
  const dim3 grid(static_cast<unsigned>(columns) * kBlocks, rows_for(call.images));
  launch("channel_mean", &mean_planar<T, kCount, kColumns, kBlocks>,
         {grid, dim3(kColumns, kThreads / kColumns), kBlocks, kThreads * kCount * sizeof(float)}, call.stream,
         call.input, call.output, call.images, call.channels, call.pixels, call.floor);
}

template <class T, int kCount, int kLanes = 1>
void run_interleaved(const Call<T>& call) {
  if constexpr (kLanes < kWarp) {
    if (kLanes * kCount < call.channels) return run_interleaved<T, kCount, 2 * kLanes>(call);
  }
  const std::int64_t all_pixels = call.images * call.pixels;
  launch("channel_mean", &mean_interleaved<T, kCount, kLanes>,
         {blocks_for(all_pixels, kThreads / kLanes * kLoads), kThreads}, call.stream, call.input, call.output,
         call.channels, all_pixels, call.floor);
}

template <class T>
void run(const Call<T>& call, bool channels_last) {
  constexpr int kWide = 16 / sizeof(T), kHalf = kWide / 2;
  const auto address = reinterpret_cast<std::uintptr_t>(call.input);
  const std::int64_t row = channels_last ? call.channels : call.pixels;
  const bool is_wide = address % 16 == 0 && row % kWide == 0;
  if (channels_last) return is_wide ? run_interleaved<T, kWide>(call) : run_interleaved<T, 1, kWarp>(call);
  if (is_wide) return run_planar<T, kWide, 8>(call);
  if (address % 8 == 0 && row % kHalf == 0) return run_planar<T, kHalf, 16>(call);
  run_planar<T, 1, 32>(call);
}

}  // namespace

void channel_mean_cuda(std::uintptr_t input, std::uintptr_t output, int dtype, bool channels_last, std::int64_t images,
                       std::int64_t channels, std::int64_t pixels, bool rectify, int device, std::uintptr_t stream) {
  if (images * pixels == 0) return;
  if (channels > kMostChannels || pixels > kMostPixels) throw std::invalid_argument("channel_mean: see kernels.h");
  const DeviceGuard guard(device);
  const float floor = rectify ? 0.0f : -std::numeric_limits<float>::infinity();
  const auto run_typed = [&](auto typed) {
    using T = decltype(typed);
    run<T>({reinterpret_cast<const T*>(input), reinterpret_cast<float*>(output), images, channels, pixels, floor,
            device, stream_of(stream)},
           channels_last);
  };
  switch (static_cast<DType>(dtype)) {
    case DType::kFloat32:
      return run_typed(float{});
    case DType::kFloat16:
      return run_typed(Float16{});
    case DType::kBFloat16:
      return run_typed(BFloat16{});
  }
  throw std::invalid_argument("channel_mean: unknown dtype code");
}

}  // namespace arttl

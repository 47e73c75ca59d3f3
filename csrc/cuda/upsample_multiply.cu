#include "arithmetic.h"
#include "cuda/launch.cuh"
#include "kernels.h"

namespace arttl {
namespace {

constexpr int kThreads = 256;

// A thread owns one output pixel: it reads at most ceil(kernel / stride) squared deep pixels, which its neighbours also
// read and the cache therefore holds, and one shallow pixel.
__global__ void __launch_bounds__(kThreads)
    upsample_multiply(const float* __restrict__ deep, const float* __restrict__ deep_peak,
                      const float* __restrict__ shallow, float* __restrict__ output, std::uint32_t* __restrict__ peak,
                      std::int64_t images, Axis y_axis, Axis x_axis) {
  const std::int64_t pixels = static_cast<std::int64_t>(y_axis.shallow) * x_axis.shallow;
  const std::int64_t deep_pixels = static_cast<std::int64_t>(y_axis.deep) * x_axis.deep;
  const std::int64_t pixel = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const bool inside = pixel < pixels;
  const Window rows = window_of(static_cast<int>(pixel / x_axis.shallow), y_axis);
  const Window columns = window_of(static_cast<int>(pixel % x_axis.shallow), x_axis);
  for (std::int64_t image = blockIdx.y; image < images; image += gridDim.y) {
    std::uint32_t magnitude = 0;
    if (inside) {
      const float* map = deep + image * deep_pixels;
      float sum = 0.0f;
      for (int column = columns.first; column <= columns.last; ++column) {
        sum += column_sum(map, x_axis.deep, column, rows);
      }
      float value = sum * (deep_peak == nullptr ? 1.0f : rescale_of(deep_peak[image]));
      if (shallow != nullptr) value *= shallow[image * pixels + pixel];
      output[image * pixels + pixel] = value;
      magnitude = magnitude_bits(value);
    }
    magnitude = block_max(magnitude);
    if (threadIdx.x == 0) atomicMax(peak + image, magnitude);
  }
}

}  // namespace

void upsample_multiply_cuda(std::uintptr_t deep, std::uintptr_t deep_peak, std::uintptr_t shallow,
                            std::uintptr_t output, std::uintptr_t peak, std::int64_t images, const Pair& deep_size,
                            const Pair& size, const Pair& kernel, const Pair& stride, const Pair& padding, int device,
                            std::uintptr_t stream) {
  if (images == 0) return;
  const DeviceGuard guard(device);
  auto* peaks = reinterpret_cast<std::uint32_t*>(peak);
  check(cudaMemsetAsync(peaks, 0, images * sizeof(std::uint32_t), stream_of(stream)), "upsample_multiply");
  const Axis y_axis = {kernel[0], stride[0], padding[0], deep_size[0], size[0]};
  const Axis x_axis = {kernel[1], stride[1], padding[1], deep_size[1], size[1]};
  const dim3 grid(blocks_for(static_cast<std::int64_t>(size[0]) * size[1], kThreads), rows_for(images));
  launch("upsample_multiply", &upsample_multiply, grid, kThreads, stream_of(stream),
         reinterpret_cast<const float*>(deep), reinterpret_cast<const float*>(deep_peak),
         reinterpret_cast<const float*>(shallow), reinterpret_cast<float*>(output), peaks, images, y_axis, x_axis);
}

}  // namespace arttl

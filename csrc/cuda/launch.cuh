// Shared by the CUDA kernels: choosing the device, launching, and reductions over a block.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "ceil_div.h"

namespace arttl {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr std::int64_t kMaxGridYZ = 65535;

inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

// Makes a device the thread's current one while it lives. Every runtime in the process reports the device of the
// thread's one driver context as its own, so that a device left changed here would be torch's current device too.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) {
    check(cudaGetDevice(&before_), "cudaGetDevice");
    if (device != before_) check(cudaSetDevice(device), "cudaSetDevice");
    changed_ = device != before_;
  }
  ~DeviceGuard() {
    if (changed_) cudaSetDevice(before_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

inline cudaStream_t stream_of(std::uintptr_t stream) { return reinterpret_cast<cudaStream_t>(stream); }

inline unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>(ceil_div(items, per_block));
}

// A row of blocks per image, as far as a grid has rows; the kernels loop over the rest.
inline unsigned rows_for(std::int64_t images) {
  return static_cast<unsigned>(images < kMaxGridYZ ? images : kMaxGridYZ);
}

// The one place where kernels are launched, and a call rather than <<<>>>, so that a C++ compiler reads the sources as
// they are (tests/cuda_emulation).
template <class... Parameters, class... Arguments>
void launch(const char* what, void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream,
            Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), what);
}

__device__ __forceinline__ std::uint32_t warp_max(std::uint32_t value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value = max(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
}

// The block's largest value, in its thread 0; every thread of the block must call it.
__device__ __forceinline__ std::uint32_t block_max(std::uint32_t value) {
  __shared__ std::uint32_t warps[kWarp];
  value = warp_max(value);
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  if (lane == 0) warps[warp] = value;
  __syncthreads();
  if (warp == 0) value = warp_max(lane < static_cast<int>(blockDim.x) / kWarp ? warps[lane] : 0u);
  __syncthreads();  // `warps` may be used again
  return value;
}

}  // namespace arttl

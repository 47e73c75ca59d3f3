// Shared by the CUDA kernels: choosing the device, checking a launch, and reductions over a block.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace arttl {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr std::int64_t kMaxGridYZ = 65535;

inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

// The runtime is linked statically and has a current device of its own, beside torch's.
inline void select_device(int device) { check(cudaSetDevice(device), "cudaSetDevice"); }

inline cudaStream_t stream_of(std::uintptr_t stream) { return reinterpret_cast<cudaStream_t>(stream); }

inline unsigned ceil_div(std::int64_t a, std::int64_t b) { return static_cast<unsigned>((a + b - 1) / b); }

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

// What csrc/cuda uses of CUDA, for a C++ compiler on the CPU: found in place of the toolkit's header of this name, so
// that the kernels' sources are compiled as they are. A kernel that needs more of CUDA adds it here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static  // blocks run one after another, so that one copy serves them all

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

using cudaStream_t = struct CUstream_st*;

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
};

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
};

namespace cuda_emulation {

// What a running thread reads of itself.
struct Registers {
  dim3 thread, block, block_size, grid_size;
};
extern Registers registers;

struct Launch {
  cudaLaunchConfig_t config;
  std::vector<unsigned char> parameters;  // of the kernel, and its address
  void (*call)(const void* parameters);
};
cudaError_t launch(const Launch& launch);

void* dynamic_shared_memory();  // what `extern __shared__` declares on a card
std::uint64_t exchange(std::uint32_t lanes, std::uint64_t value, unsigned source_lane);  // among lanes of a warp
unsigned lane();

template <class... Parameters>
void call(const void* parameters) {
  std::apply([](auto kernel, auto... arguments) { kernel(arguments...); },
             *static_cast<const std::tuple<void (*)(Parameters...), Parameters...>*>(parameters));
}

}  // namespace cuda_emulation

inline const dim3& threadIdx = cuda_emulation::registers.thread;
inline const dim3& blockIdx = cuda_emulation::registers.block;
inline const dim3& blockDim = cuda_emulation::registers.block_size;
inline const dim3& gridDim = cuda_emulation::registers.grid_size;

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMemsetAsync(void* address, int value, std::size_t bytes, cudaStream_t stream);

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "kernels are passed plain values");
  const std::tuple<void (*)(Parameters...), Parameters...> parameters(kernel, arguments...);
  const auto* bytes = reinterpret_cast<const unsigned char*>(&parameters);
  return cuda_emulation::launch({*config, {bytes, bytes + sizeof parameters}, &cuda_emulation::call<Parameters...>});
}

void __syncthreads();

template <class T>
T __shfl_xor_sync(std::uint32_t lanes, T value, int lane_mask) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = cuda_emulation::exchange(lanes, bits, cuda_emulation::lane() ^ static_cast<unsigned>(lane_mask));
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::uint32_t atomicMax(std::uint32_t* address, std::uint32_t value);

inline std::uint32_t max(std::uint32_t a, std::uint32_t b) { return a < b ? b : a; }

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
#define __grid_constant__
#define __shared__ static  // clusters run one after another, and one of several blocks may not use it

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
  cudaErrorNotSupported = 801,
  cudaErrorInvalidClusterSize = 912,
};

enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
};

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

enum cudaLaunchAttributeID { cudaLaunchAttributeClusterDimension = 4 };

struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    struct {
      unsigned x, y, z;
    } clusterDim;
  } val;
};

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};

namespace cuda_emulation {

// What a running thread reads of itself.
struct Registers {
  dim3 thread, block, block_size, grid_size;
};
extern Registers registers;

struct Launch {
  cudaLaunchConfig_t config;
  const void* kernel;
  std::vector<unsigned char> parameters;  // of the kernel, and its address
  void (*call)(const void* parameters);
};
cudaError_t launch(const Launch& launch);
cudaError_t allow_dynamic_shared_memory(const void* kernel, int bytes);

void* dynamic_shared_memory();     // what `extern __shared__` declares on a card
constexpr unsigned kLargest = 32;  // in place of a source lane: the largest value
std::uint64_t exchange(std::uint32_t lanes, std::uint64_t value, unsigned source_lane);  // among lanes of a warp
unsigned lane();
void sync_cluster();
unsigned cluster_rank();
unsigned cluster_size();
void* of_block(void* shared, unsigned rank);  // the same place in the shared memory of another block of the cluster

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
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaMemsetAsync(void* address, int value, std::size_t bytes, cudaStream_t stream);

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "kernels are passed plain values");
  const std::tuple<void (*)(Parameters...), Parameters...> parameters(kernel, arguments...);
  const auto* bytes = reinterpret_cast<const unsigned char*>(&parameters);
  return cuda_emulation::launch({*config,
                                 reinterpret_cast<const void*>(kernel),
                                 {bytes, bytes + sizeof parameters},
                                 &cuda_emulation::call<Parameters...>});
}

template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute, int bytes) {
  return cuda_emulation::allow_dynamic_shared_memory(reinterpret_cast<const void*>(kernel), bytes);
}

void __syncthreads();
void __syncwarp(std::uint32_t lanes = 0xffffffffu);

template <class T>
T __shfl_xor_sync(std::uint32_t lanes, T value, int lane_mask) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  // A lane that the warp does not have gives the thread its own value.
  const unsigned own = cuda_emulation::lane(), source = own ^ static_cast<unsigned>(lane_mask);
  bits = cuda_emulation::exchange(lanes, bits, source < 32 ? source : own);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline std::uint32_t __reduce_max_sync(std::uint32_t lanes, std::uint32_t value) {
  return static_cast<std::uint32_t>(cuda_emulation::exchange(lanes, value, cuda_emulation::kLargest));
}

std::uint32_t atomicMax(std::uint32_t* address, std::uint32_t value);

inline std::uint32_t max(std::uint32_t a, std::uint32_t b) { return a < b ? b : a; }
inline int min(int a, int b) { return b < a ? b : a; }

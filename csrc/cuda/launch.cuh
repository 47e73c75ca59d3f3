// Shared by the CUDA kernels: choosing the device, launching, and what the blocks of a cluster do together.
#pragma once

#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "ceil_div.h"

namespace arttl {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr std::int64_t kMaxGridYZ = 65535;
constexpr std::size_t kSharedBytes = 48 * 1024;  // that a block may have without asking
constexpr unsigned kMostBlocks = 8;              // of a cluster, on every card that has clusters

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

inline int attribute_of(int device, cudaDeviceAttr attribute) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, attribute, device), "cudaDeviceGetAttribute");
  return value;
}

// How many blocks may share a piece of work on a device: 1 before clusters came, with compute capability 9.0.
inline unsigned blocks_of_cluster(int device) {
  return attribute_of(device, cudaDevAttrComputeCapabilityMajor) >= 9 ? kMostBlocks : 1;
}

inline cudaStream_t stream_of(std::uintptr_t stream) { return reinterpret_cast<cudaStream_t>(stream); }

inline unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>(ceil_div(items, per_block));
}

// A row of blocks per image, as far as a grid has rows; the kernels loop over the rest.
inline unsigned rows_for(std::int64_t images) {
  return static_cast<unsigned>(images < kMaxGridYZ ? images : kMaxGridYZ);
}

struct Shape {
  dim3 grid, block;
  unsigned cluster = 1;    // neighbouring blocks along x
  std::size_t shared = 0;  // bytes of dynamic shared memory of a block
};

// The one place where kernels are launched, and a call rather than <<<>>>, so that a C++ compiler reads the sources as
// they are (tests/cuda_emulation).
template <class... Parameters, class... Arguments>
void launch(const char* what, void (*kernel)(Parameters...), const Shape& shape, cudaStream_t stream,
            const Arguments&... arguments) {
  if (shape.shared > kSharedBytes) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared)),
          what);
  }
  cudaLaunchAttribute cluster = {};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {shape.cluster, 1, 1};
  cudaLaunchConfig_t config = {};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared;
  config.stream = stream;
  config.attrs = &cluster;
  config.numAttrs = shape.cluster > 1 ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), what);
}

template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#if defined(__CUDACC__)
  extern __shared__ float4 memory[];
  return reinterpret_cast<T*>(memory);
#else
  return static_cast<T*>(cuda_emulation::dynamic_shared_memory());
#endif
}

// The blocks that share a piece of work: a cluster of kBlocks neighbours (of any number if it is 0), or one by itself.
template <unsigned kBlocks>
struct Team {
  static constexpr bool kIsCluster = kBlocks != 1;

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
  __device__ static auto cluster() { return cooperative_groups::this_cluster(); }
#else  // such a kernel is compiled for older cards as well, and never launched there
  struct None {
    __device__ void sync() const {}
    __device__ unsigned num_blocks() const { return 1; }
    __device__ unsigned block_rank() const { return 0; }
    template <class T>
    __device__ T* map_shared_rank(T* shared, unsigned) const {
      return shared;
    }
  };
  __device__ static None cluster() { return {}; }
#endif

  __device__ static unsigned size() {
    if constexpr (kBlocks == 0) return cluster().num_blocks();
    return kBlocks;
  }
  __device__ static unsigned rank() {
    if constexpr (kIsCluster) return cluster().block_rank();
    return 0;
  }
  __device__ static void sync() {
    if constexpr (kIsCluster) {
      cluster().sync();
    } else {
      __syncthreads();
    }
  }
  // The same place in the shared memory of another block. Valid between a sync after which all blocks run and one
  // before they leave.
  template <class T>
  __device__ static T* of_block(T* shared, unsigned rank) {
    if constexpr (kIsCluster) return cluster().map_shared_rank(shared, rank);
    return shared;
  }
};

__device__ __forceinline__ std::uint32_t warp_max(std::uint32_t value) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  return __reduce_max_sync(kAllLanes, value);
#else
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value = max(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
#endif
}

}  // namespace arttl

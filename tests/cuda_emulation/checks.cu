// Kernels that use what no kernel of csrc does yet, or that are wrong in ways that a change to csrc cannot show.
#include <exception>
#include <string>

#include "cuda/launch.cuh"

namespace cg = cooperative_groups;

namespace {

// Reverses a block's values by way of dynamic shared memory, of which it fills `written` words.
__global__ void reverse(const float* input, float* output, unsigned written) {
  auto* shared = static_cast<float*>(cuda_emulation::dynamic_shared_memory());
  if (threadIdx.x < written) shared[threadIdx.x] = input[threadIdx.x];
  __syncthreads();
  output[threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

// Sums of eight lanes, each group with a mask of its own, which the groups of a warp reach after different work.
__global__ void sum_of_eight(const float* input, float* output) {
  const unsigned lane = threadIdx.x % 32, lanes = 0xffu << lane / 8 * 8;
  float value = input[threadIdx.x];
  for (int offset = 4; offset > 0; offset /= 2) value += __shfl_xor_sync(lanes, value, offset);
  output[threadIdx.x] = value;
}

// Writes to what it may only read.
__global__ void overwrite(float* input, float* output) { input[threadIdx.x] = output[threadIdx.x] = 0.0f; }

// Reads what another thread left in a variable of its own.
__global__ void read_anothers_variable(const float* input, float* output) {
  __shared__ const float* address;
  float own = input[threadIdx.x];
  if (threadIdx.x == 0) address = &own;
  __syncthreads();
  output[threadIdx.x] = *address;
}

// Each block of a cluster writes its threads' input to the next block's shared memory, and then its own to the output.
// Without the first barrier a block may not run yet, and without the second it may read before the other wrote.
__global__ void pass_on(const float* input, float* output, bool first, bool second) {
  auto* shared = arttl::dynamic_shared<float>();
  const auto cluster = cg::this_cluster();
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  if (first) cluster.sync();
  const unsigned next = (cluster.block_rank() + 1) % cluster.num_blocks();
  cluster.map_shared_rank(shared, next)[threadIdx.x] = input[thread];
  if (second) cluster.sync();
  output[thread] = shared[threadIdx.x];
}

// Reads what the next block wrote, and leaves without waiting until the block before has read.
__global__ void leave_early(const float* input, float* output) {
  auto* shared = arttl::dynamic_shared<float>();
  const auto cluster = cg::this_cluster();
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  shared[threadIdx.x] = input[thread];
  cluster.sync();
  const unsigned next = (cluster.block_rank() + 1) % cluster.num_blocks();
  output[thread] = cluster.map_shared_rank(shared, next)[threadIdx.x];
}

// A barrier of the cluster that one block does not reach.
__global__ void miss_barrier(const float* input, float* output) {
  output[blockIdx.x * blockDim.x + threadIdx.x] = input[threadIdx.x];
  if (cg::this_cluster().block_rank() > 0) cg::this_cluster().sync();
}

// A warp turns its values round, by way of shared memory: with a barrier of the warp, or with none.
__global__ void reverse_warps(const float* input, float* output, bool waits) {
  auto* shared = arttl::dynamic_shared<float>();
  shared[threadIdx.x] = input[threadIdx.x];
  if (waits) __syncwarp();
  output[threadIdx.x] = shared[threadIdx.x ^ 31u];
}

// The largest value of a warp.
__global__ void largest(const float* input, float* output) {
  output[threadIdx.x] =
      static_cast<float>(__reduce_max_sync(arttl::kAllLanes, static_cast<std::uint32_t>(input[threadIdx.x])));
}

std::string fault;  // of the last run

template <class... Parameters, class... Arguments>
const char* run(const arttl::Shape& shape, cudaStream_t stream, void (*kernel)(Parameters...), Arguments... arguments) {
  try {
    arttl::launch("check", kernel, shape, stream, arguments...);
    return nullptr;
  } catch (const std::exception& error) {
    fault = error.what();
    return fault.c_str();
  }
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {
const char* check_reverse(float* input, float* output, unsigned threads, cudaStream_t stream, std::size_t dynamic,
                          unsigned written) {
  return run({1, threads, 1, dynamic}, stream, &reverse, input, output, written);
}
const char* check_sum_of_eight(float* input, float* output, unsigned threads, cudaStream_t stream) {
  return run({1, threads}, stream, &sum_of_eight, input, output);
}
const char* check_overwrite(float* input, float* output, unsigned threads, cudaStream_t stream) {
  return run({1, threads}, stream, &overwrite, input, output);
}
const char* check_read_anothers_variable(float* input, float* output, unsigned threads, cudaStream_t stream) {
  return run({1, threads}, stream, &read_anothers_variable, input, output);
}
const char* check_pass_on(float* input, float* output, unsigned threads, cudaStream_t stream, std::size_t blocks,
                          bool first, bool second) {
  const auto cluster = static_cast<unsigned>(blocks);
  return run({cluster, threads / cluster, cluster, threads / cluster * sizeof(float)}, stream, &pass_on, input, output,
             first, second);
}
const char* check_leave_early(float* input, float* output, unsigned threads, cudaStream_t stream) {
  return run({3, threads / 3, 3, threads / 3 * sizeof(float)}, stream, &leave_early, input, output);
}
const char* check_miss_barrier(float* input, float* output, unsigned threads, cudaStream_t stream) {
  return run({3, threads / 3, 3}, stream, &miss_barrier, input, output);
}
const char* check_reverse_warps(float* input, float* output, unsigned threads, cudaStream_t stream, bool waits) {
  return run({1, threads, 1, threads * sizeof(float)}, stream, &reverse_warps, input, output, waits);
}
const char* check_largest(float* input, float* output, unsigned threads, cudaStream_t stream) {
  return run({1, threads}, stream, &largest, input, output);
}
}
#pragma GCC visibility pop

// Kernels that use what no kernel of csrc does yet, or that are wrong in ways that a change to csrc cannot show.
#include <exception>
#include <string>

#include "cuda/launch.cuh"

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

std::string fault;  // of the last run

template <class... Parameters, class... Arguments>
const char* run(std::size_t dynamic, unsigned threads, cudaStream_t stream, void (*kernel)(Parameters...),
                Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.blockDim = threads;
  config.dynamicSmemBytes = dynamic;
  config.stream = stream;
  try {
    arttl::check(cudaLaunchKernelEx(&config, kernel, arguments...), "check");
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
  return run(dynamic, threads, stream, &reverse, input, output, written);
}
const char* check_sum_of_eight(float* input, float* output, unsigned threads, cudaStream_t stream) {
  return run(0, threads, stream, &sum_of_eight, input, output);
}
const char* check_overwrite(float* input, float* output, unsigned threads, cudaStream_t stream) {
  return run(0, threads, stream, &overwrite, input, output);
}
const char* check_read_anothers_variable(float* input, float* output, unsigned threads, cudaStream_t stream) {
  return run(0, threads, stream, &read_anothers_variable, input, output);
}
}
#pragma GCC visibility pop

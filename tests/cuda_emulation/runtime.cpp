// The runtime library of the emulation: devices, streams and launches within a card's limits; and the functions that
// the tests call by ctypes. Operations run when they are queued, or later where the tests ask for that.
#include <functional>
#include <map>
#include <stdexcept>
#include <utility>

#include "emulation.h"

namespace cuda_emulation {
namespace {

std::shared_ptr<Arrays> arrays = std::make_shared<Arrays>();  // of the call that queues
std::map<std::uintptr_t, int> devices_of_streams;
std::map<std::pair<int, const void*>, std::size_t> dynamic_limits;  // of a kernel on a device, where it asked
int devices = 1, device = 0;
int capability = 90, processors = 132;
Order order = Order::kAscending;
std::uint64_t seed = 0;
bool is_deferring = false;
std::vector<std::function<void()>> deferred;
std::int64_t queued = 0;
std::string fault_of_host;  // undefined behaviour of the code that launches
std::string answer;         // of the last function that the tests called, valid until the next

cudaError_t queue(cudaStream_t stream, std::function<void()> operation) {
  const auto handle = reinterpret_cast<std::uintptr_t>(stream);
  // A card runs it, in the default stream: at the wrong time.
  if (handle == 0) throw std::runtime_error("emulation: stream: an operation is queued on the default stream");
  const auto found = devices_of_streams.find(handle);
  if (found == devices_of_streams.end() || found->second != device) return cudaErrorInvalidResourceHandle;
  ++queued;
  is_deferring ? deferred.push_back(std::move(operation)) : operation();
  return cudaSuccess;
}

bool is_within(const dim3& size, unsigned x, unsigned y, unsigned z) {
  return size.x >= 1 && size.y >= 1 && size.z >= 1 && size.x <= x && size.y <= y && size.z <= z;
}

// What a block may have of shared memory if its kernel asks for it (CUDA C++ Programming Guide, 'Technical
// Specifications per Compute Capability').
std::size_t shared_limit() {
  return 1024 * (capability >= 90 && capability < 120   ? 227
                 : capability == 80 || capability == 87 ? 163
                 : capability >= 80                     ? 99
                                                        : 64);
}

unsigned blocks_of(const cudaLaunchConfig_t& config) {
  unsigned blocks = 1;
  for (unsigned i = 0; i < config.numAttrs; ++i) blocks = config.attrs[i].val.clusterDim.x;
  return blocks;
}

const char* text(std::string what) {
  answer = std::move(what);
  return answer.c_str();
}

}  // namespace

cudaError_t launch(const Launch& launch) {
  const cudaLaunchConfig_t& config = launch.config;
  const dim3& block = config.blockDim;
  if (!is_within(config.gridDim, 0x7fffffffu, 65535, 65535) || !is_within(block, 1024, 1024, 64) ||
      static_cast<std::uint64_t>(block.x) * block.y * block.z > 1024) {
    return cudaErrorInvalidConfiguration;
  }
  const unsigned blocks = blocks_of(config);
  if (config.numAttrs > 0 && capability < 90) return cudaErrorNotSupported;
  if (blocks == 0 || blocks > kMostBlocks) return cudaErrorInvalidClusterSize;
  if (config.gridDim.x % blocks) return cudaErrorInvalidConfiguration;
  const auto asked = dynamic_limits.find({device, launch.kernel});
  const bool has_asked = asked != dynamic_limits.end();
  if (config.dynamicSmemBytes > (has_asked ? asked->second : kSharedBytes)) return cudaErrorInvalidValue;
  if (launch.parameters.size() > kParameterBytes) return cudaErrorInvalidValue;
  const std::size_t limit = has_asked ? shared_limit() : kSharedBytes;
  return queue(config.stream, [=, arrays = arrays] {
    begin_kernel(arrays.get(), launch, limit);
    run_kernel(launch, blocks, order, seed++);
  });
}

cudaError_t allow_dynamic_shared_memory(const void* kernel, int bytes) {
  if (bytes < 0 || static_cast<std::size_t>(bytes) > shared_limit()) return cudaErrorInvalidValue;
  dynamic_limits[{device, kernel}] = bytes;
  return cudaSuccess;
}

}  // namespace cuda_emulation

using namespace cuda_emulation;

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorNotSupported:
      return "operation not supported";
    case cudaErrorInvalidClusterSize:
      return "invalid cluster size";
  }
  return "unknown error";
}

cudaError_t cudaGetDevice(int* current) {
  *current = device;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int wanted) {
  if (wanted < 0 || wanted >= devices) return cudaErrorInvalidDevice;
  device = wanted;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int of_device) {
  if (of_device < 0 || of_device >= devices) return cudaErrorInvalidDevice;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = processors;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = capability / 10;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(shared_limit());
      return cudaSuccess;
  }
  return cudaErrorInvalidValue;
}

cudaError_t cudaMemsetAsync(void* address, int value, std::size_t bytes, cudaStream_t stream) {
  return queue(stream, [=, arrays = arrays] { set_memory(arrays.get(), address, value, bytes); });
}

// -fsanitize=undefined reports to this function after it has printed what it found.
#pragma GCC visibility push(default)
extern "C" {
void __ubsan_get_current_report_data(const char** kind, const char** message, const char** file, unsigned* line,
                                     unsigned* column, char** address);

void __ubsan_on_report() {
  const char *kind, *message, *file;
  unsigned line, column;
  char* address;
  __ubsan_get_current_report_data(&kind, &message, &file, &line, &column, &address);
  const std::string what = std::string("undefined: ") + message + ", " + file + ":" + std::to_string(line);
  now.is_running ? report(what) : void(fault_of_host = what);
}

// As after the start of a process: one device, an H200; no stream; threads and blocks in ascending order.
void emulation_reset() {
  arrays = std::make_shared<Arrays>();
  devices_of_streams.clear();
  dynamic_limits.clear();
  deferred.clear();
  capability = 90;
  processors = 132;
  devices = 1;
  device = 0;
  order = Order::kAscending;
  seed = 0;
  is_deferring = false;
  queued = 0;
  fault_of_host.clear();
}

void emulation_set_order(int order_, std::uint64_t seed_) {
  order = static_cast<Order>(order_);
  seed = seed_;
}

void emulation_set_devices(int count) { devices = count; }

// All devices are of this compute capability, as 90 for 9.0, and have so many multiprocessors.
void emulation_set_card(int capability_, int processors_) {
  capability = capability_;
  processors = processors_;
}

int emulation_device() { return device; }

void emulation_add_stream(std::uintptr_t stream, int of_device) { devices_of_streams[stream] = of_device; }

// How many kernels and memsets were queued since the reset.
std::int64_t emulation_operations() { return queued; }

// One array of the call that follows. Returns what is wrong with it, or nothing.
const char* emulation_add_array(const char* name, std::uintptr_t address, std::size_t bytes, int use_) {
  const Use use = static_cast<Use>(use_);
  for (const Array& other : *arrays) {
    if (address < other.end && other.begin < address + bytes && (use != Use::kInput || other.use != Use::kInput)) {
      return text("overlap: " + other.name + " and " + name);
    }
  }
  std::vector<Cell> cells(use == Use::kInput ? 0 : (bytes + 3) / 4);
  arrays->push_back({name, address, address + bytes, use, std::move(cells)});
  return text("");
}

// Ends the call: no later operation has its arrays. Returns what was wrong with it, or nothing.
const char* emulation_end_call() {
  std::string fault = std::exchange(fault_of_host, "");
  if (fault.empty() && !is_deferring) fault = unwritten(*arrays);
  arrays = std::make_shared<Arrays>();
  return text(fault);
}

// From now on operations wait to be run by emulation_run_deferred, as behind a busy stream or in a captured graph.
void emulation_defer() {
  deferred.clear();
  is_deferring = true;
}

// Runs what has waited, again at each call. Returns the fault that ended it, or nothing.
const char* emulation_run_deferred() try {
  is_deferring = false;
  for (const auto& operation : deferred) operation();
  return text("");
} catch (const std::exception& error) {
  return text(error.what());
}
}
#pragma GCC visibility pop

// Between the three parts of the emulation: blocks.cpp runs threads, memory.cpp checks what they access, runtime.cpp is
// the runtime library and what the tests call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda_runtime.h"

namespace cuda_emulation {

constexpr unsigned kWarp = 32;
constexpr std::size_t kSharedBytes = 48 * 1024;    // a block's, static and dynamic, without asking for more
constexpr std::size_t kMostShared = 227 * 1024;    // of any card
constexpr unsigned kMostBlocks = 8;                // of a cluster, on any card that has clusters
constexpr std::size_t kParameterBytes = 4 * 1024;  // a kernel's

enum class Order { kAscending, kDescending, kRandom };

// The numbers 0 to count - 1 in an order: start, start + step, ... modulo count.
class Sequence {
 public:
  Sequence(std::uint64_t count, Order order, std::uint64_t seed);
  std::uint64_t operator[](std::uint64_t index) const;

 private:
  std::uint64_t count_, start_, step_;
};

enum class Use { kInput, kOutput, kWorkspace };  // read only; written completely; written before it is read
enum class Access { kRead, kWrite, kAtomic };

// Where a thread is, and how many barriers each group has passed that it belongs to. In a mark a number may be kMany.
struct Moment {
  std::uint32_t cluster, cluster_interval, block, interval, warp, warp_interval, thread;
};
using Mark = Moment;  // of the last accesses of one kind to a word
constexpr std::uint32_t kMany = 0xffffffffu;

struct Cell {  // of four bytes
  Mark read, write;
  std::uint32_t run;  // the kernel run, or of shared memory the cluster run, that the marks belong to
  bool was_read, was_written, was_plain, initialised;
};

struct Array {
  std::string name;
  std::uintptr_t begin, end;
  Use use;
  std::vector<Cell> cells;  // none of an input
};
using Arrays = std::vector<Array>;

constexpr std::size_t kStackBytes = 256 * 1024 + 13 * 64;  // a thread's; not a power of two, for the cache's sake

// The running thread.
struct Now {
  bool is_running = false;
  bool has_failed = false;
  unsigned number = 0;       // among the threads of the cluster
  unsigned rank = 0;         // the block's in the cluster
  Moment moment = {};        // block: its number in the grid; thread: in the block; warp: in the block
  std::uintptr_t stack = 0;  // the first address
};

// blocks.cpp
extern Now now;
void run_kernel(const Launch& launch, unsigned blocks_of_cluster, Order order, std::uint64_t seed);
void report(const std::string& fault);             // kept; the kernel ends before its next access
[[noreturn]] void fail(const std::string& fault);  // ends the kernel at once, which throws `fault` to the host
[[noreturn]] void leave_kernel();
std::string name_of(std::uint32_t thread_or_many);  // of a thread of the running block
unsigned blocks_of_cluster();
bool has_left(unsigned rank);  // whether a thread of that block of the cluster has returned

// memory.cpp
void begin_kernel(Arrays* arrays, const Launch& launch, std::size_t shared_limit);
void begin_cluster();
void check_return();  // of the running thread
void access(std::uintptr_t address, std::size_t bytes, Access how);
void set_memory(Arrays* arrays, void* address, int value, std::size_t bytes);
std::string unwritten(const Arrays& arrays);  // what a kernel should have written, or nothing

}  // namespace cuda_emulation

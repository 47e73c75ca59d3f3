// Checks every access of a kernel, which GCC's -fsanitize=thread reports by calling the functions at the end: that it
// lies in an array of the call, in shared memory or on the thread's own stack, that what is read was written, and that
// no other thread's access can happen at the same time. A race is found whatever the order in which threads run, since
// what counts is whether a barrier lies between two accesses.
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "emulation.h"

namespace cuda_emulation {
namespace {

constexpr std::size_t kWord = 4;

struct Range {
  std::uintptr_t begin = 0, end = 0;
  bool contains(std::uintptr_t address) const { return address - begin < end - begin; }
};

Arrays* arrays = nullptr;
Array* last = nullptr;  // the array of the last access, which is mostly that of the next
Range parameters;       // of the kernel
std::size_t dynamic_bytes = 0, shared_limit = 0;
std::uint32_t kernel_runs = 0, cluster_runs = 0;
std::size_t static_words = 0;  // of shared memory, that the block has accessed

// Of each block of a cluster, one after another, from the heap: what is in variables is checked as static.
unsigned char* dynamic_shared = nullptr;
Cell* dynamic_cells = nullptr;
std::uint32_t remote_intervals[kMostBlocks];  // the cluster's interval when another block last accessed a block's

// The variables of the module: among them the static shared memory, and constants that relocation made read-only.
Range variables, constants;
std::vector<Cell> static_cells;

void find_variables() {
  const auto visit = [](dl_phdr_info* info, std::size_t, void*) {
    const auto range_of = [&](const ElfW(Phdr) & part) {
      const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
      return Range{begin / kWord * kWord, begin + part.p_memsz};
    };
    const auto* parts = info->dlpi_phdr;
    const auto* own = reinterpret_cast<const void*>(&kernel_runs);
    const bool is_own = std::any_of(parts, parts + info->dlpi_phnum, [&](const auto& part) {
      return part.p_type == PT_LOAD && range_of(part).contains(reinterpret_cast<std::uintptr_t>(own));
    });
    if (!is_own) return 0;
    for (const auto* part = parts; part < parts + info->dlpi_phnum; ++part) {
      if (part->p_type == PT_LOAD && part->p_flags & PF_W) variables = range_of(*part);
      if (part->p_type == PT_GNU_RELRO) constants = range_of(*part);
    }
    return 1;
  };
  dl_iterate_phdr(visit, nullptr);
  static_cells.resize((variables.end - variables.begin) / kWord + 1);
}

// Whether an access that left `mark` can happen at the same time as one of the running thread.
bool is_unordered(const Mark& mark) {
  const Moment& own = now.moment;
  if (mark.cluster != own.cluster) return true;
  if (mark.cluster_interval != own.cluster_interval) return false;
  if (mark.block != own.block) return true;
  if (mark.interval != own.interval) return false;
  if (mark.warp != own.warp) return true;
  return mark.warp_interval == own.warp_interval && mark.thread != own.thread;
}

// Leaves this access's mark. Where a barrier orders an earlier access before it, its mark stands for both: true.
bool leave(Mark& mark, bool has_mark) {
  const Moment& own = now.moment;
  const auto replace = [&] {
    mark = own;
    return true;
  };
  const auto blur = [](std::uint32_t& number) {
    number = kMany;
    return false;
  };
  if (!has_mark) return replace();
  if (mark.cluster != own.cluster) return blur(mark.cluster);
  if (mark.cluster_interval != own.cluster_interval) return replace();
  if (mark.block != own.block) return blur(mark.block);
  if (mark.interval != own.interval) return replace();
  if (mark.warp != own.warp) return blur(mark.warp);
  if (mark.warp_interval != own.warp_interval) return replace();
  return mark.thread != own.thread && blur(mark.thread);
}

std::string text_of(Access how) {
  return how == Access::kRead ? "reads" : how == Access::kWrite ? "writes" : "changes atomically";
}

[[noreturn]] void fail_race(const std::string& where, Access how, const Mark& other, const char* did) {
  const bool is_of_block = other.cluster == now.moment.cluster && other.block == now.moment.block;
  const std::string who =
      is_of_block ? name_of(other.warp == kMany ? kMany : other.thread) : "a thread of another block";
  fail("race: a thread " + text_of(how) + " " + where + ", which " + who + " " + did + " with no barrier between them");
}

template <class Where>
void check(Cell& cell, std::uint32_t run, Access how, const Where& where) {
  if (cell.run != run) {
    cell.run = run;
    cell.was_read = cell.was_written = cell.was_plain = false;
  }
  if (how != Access::kWrite && !cell.initialised) fail("unwritten: a thread " + text_of(how) + " " + where());
  const bool both_atomic = how == Access::kAtomic && !cell.was_plain;
  if (cell.was_written && !both_atomic && is_unordered(cell.write)) fail_race(where(), how, cell.write, "wrote");
  if (how == Access::kRead) {
    leave(cell.read, cell.was_read);
    cell.was_read = true;
    return;
  }
  if (cell.was_read && is_unordered(cell.read)) fail_race(where(), how, cell.read, "read");
  if (leave(cell.write, cell.was_written)) cell.was_plain = false;
  cell.was_written = cell.initialised = true;
  cell.was_plain |= how == Access::kWrite;
}

void check_shared(Cell* cells, std::uintptr_t offset, std::size_t bytes, Access how, const char* kind) {
  for (std::uintptr_t word = offset / kWord; word * kWord < offset + bytes; ++word) {
    Cell& cell = cells[word];
    if (cell.run != cluster_runs) {  // what another cluster left is nothing that may be read
      cell.initialised = false;
      if (cells == static_cells.data() && ++static_words * kWord + dynamic_bytes > shared_limit) {
        fail("shared memory: the block has accessed more than " + std::to_string(shared_limit / 1024) + " KiB");
      }
    }
    check(cell, cluster_runs, how, [&] { return std::string("a word of ") + kind + " shared memory"; });
  }
}

void check_dynamic(std::uintptr_t offset, std::size_t bytes, Access how) {
  const auto rank = static_cast<unsigned>(offset / kMostShared);
  offset %= kMostShared;
  if (rank >= blocks_of_cluster() || offset + bytes > dynamic_bytes) {
    fail("bounds: a thread " + text_of(how) + " past the end of dynamic shared memory");
  }
  if (rank != now.rank) {
    const std::string what = "cluster: a thread " + text_of(how) + " shared memory of another block, which may ";
    if (now.moment.cluster_interval == 0) fail(what + "not have started: no barrier of the cluster comes before");
    if (has_left(rank)) fail(what + "have left: no barrier of the cluster comes after");
    remote_intervals[rank] = now.moment.cluster_interval;
  }
  check_shared(dynamic_cells + rank * kMostShared / kWord, offset, bytes, how, "dynamic");
}

void check_array(Array& array, std::uintptr_t address, std::size_t bytes, Access how) {
  const std::uintptr_t offset = address - array.begin;
  if (address + bytes > array.end) {
    fail("bounds: a thread " + text_of(how) + " " + std::to_string(bytes) + " bytes at " + std::to_string(offset) +
         " of " + array.name + ", which has " + std::to_string(array.end - array.begin));
  }
  if (array.use == Use::kInput) {
    if (how != Access::kRead) fail("bounds: a thread " + text_of(how) + " " + array.name + ", which is only read");
    return;
  }
  if (how != Access::kRead && (offset % kWord || bytes % kWord)) fail("a kernel writes less than four bytes at a time");
  for (std::uintptr_t word = offset / kWord; word * kWord < offset + bytes; ++word) {
    check(array.cells[word], kernel_runs, how, [&] { return "word " + std::to_string(word) + " of " + array.name; });
  }
}

Array* array_at(std::uintptr_t address) {
  if (last != nullptr && address >= last->begin && address < last->end) return last;
  for (Array& array : *arrays) {
    if (address >= array.begin && address < array.end) return last = &array;
  }
  return nullptr;
}

}  // namespace

void access(std::uintptr_t address, std::size_t bytes, Access how) {
  if (!now.is_running) return;  // host code beside a kernel
  if (now.has_failed) leave_kernel();
  if (address - now.stack < kStackBytes) return;
  if (Array* array = array_at(address)) return check_array(*array, address, bytes, how);
  const auto dynamic = reinterpret_cast<std::uintptr_t>(dynamic_shared);
  if (address - dynamic < kMostBlocks * kMostShared) return check_dynamic(address - dynamic, bytes, how);
  const auto own = reinterpret_cast<std::uintptr_t>(&registers);
  if (how == Access::kRead && (address - own < sizeof registers || parameters.contains(address))) return;
  if (how == Access::kRead && constants.contains(address)) return;
  if (variables.contains(address)) {
    if (blocks_of_cluster() > 1) fail("static shared memory in a cluster: the emulation has dynamic alone there");
    return check_shared(static_cells.data(), address - variables.begin, bytes, how, "static");
  }
  for (const Array& array : *arrays) {
    const std::uintptr_t gap = address < array.begin ? array.begin - address : address - array.end;
    if (gap < 4096) {
      fail("bounds: a thread " + text_of(how) + " " + std::to_string(bytes) + " bytes, " + std::to_string(gap) +
           " bytes " + (address < array.begin ? "before " : "past the end of ") + array.name);
    }
  }
  fail("bounds: a thread " + text_of(how) + " " + std::to_string(bytes) + " bytes that are in no array of the call");
}

void begin_kernel(Arrays* of_call, const Launch& launch, std::size_t limit) {
  if (variables.end == 0) {
    find_variables();
    dynamic_shared = static_cast<unsigned char*>(std::aligned_alloc(1024, kMostBlocks * kMostShared));
    dynamic_cells = static_cast<Cell*>(std::calloc(kMostBlocks * kMostShared / kWord, sizeof(Cell)));
    if (dynamic_shared == nullptr || dynamic_cells == nullptr) throw std::bad_alloc();
  }
  arrays = of_call;
  last = nullptr;
  parameters = {reinterpret_cast<std::uintptr_t>(launch.parameters.data()), 0};
  parameters.end = parameters.begin + launch.parameters.size();
  dynamic_bytes = launch.config.dynamicSmemBytes;
  shared_limit = limit;
  ++kernel_runs;
}

void begin_cluster() {
  ++cluster_runs;
  static_words = 0;
  std::fill(std::begin(remote_intervals), std::end(remote_intervals), kMany);
}

// Whichever of the two comes first here, on a card it may be the other.
void check_return() {
  if (remote_intervals[now.rank] == now.moment.cluster_interval) {
    fail("cluster: a thread leaves while another block accesses its shared memory: no barrier of the cluster between");
  }
}

void* dynamic_shared_memory() { return dynamic_shared + now.rank * kMostShared; }

void* of_block(void* shared, unsigned rank) {
  const std::uintptr_t offset = static_cast<unsigned char*>(shared) - dynamic_shared;
  if (offset >= kMostBlocks * kMostShared) fail("cluster: an address that is not in dynamic shared memory is mapped");
  if (rank >= blocks_of_cluster())
    fail("cluster: a thread maps shared memory of a block that the cluster does not have");
  return dynamic_shared + rank * kMostShared + offset % kMostShared;
}

void set_memory(Arrays* of_call, void* address, int value, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  for (Array& array : *of_call) {
    if (begin < array.begin || begin >= array.end) continue;
    if (begin + bytes > array.end || array.use == Use::kInput || begin % kWord || bytes % kWord) {
      throw std::runtime_error("emulation: bounds: a memset of " + std::to_string(bytes) + " bytes at " +
                               std::to_string(begin - array.begin) + " of " + array.name);
    }
    for (std::size_t word = 0; word < bytes / kWord; ++word) {
      array.cells[(begin - array.begin) / kWord + word].initialised = true;
    }
    std::memset(address, value, bytes);
    return;
  }
  throw std::runtime_error("emulation: bounds: a memset at an address that is in no array of the call");
}

std::string unwritten(const Arrays& of_call) {
  for (const Array& array : of_call) {
    if (array.use != Use::kOutput) continue;
    const auto gap = std::find_if(array.cells.begin(), array.cells.end(), [](const Cell& c) { return !c.initialised; });
    if (gap != array.cells.end()) {
      return "unwritten: word " + std::to_string(gap - array.cells.begin()) + " of " + array.name + " after the call";
    }
  }
  return "";
}

}  // namespace cuda_emulation

// What GCC's -fsanitize=thread calls before each access, and that its own runtime library would define.
#pragma GCC visibility push(hidden)
extern "C" {
using cuda_emulation::Access;
#define ACCESSES(bytes)                                                                 \
  void __tsan_read##bytes(void* p) {                                                    \
    cuda_emulation::access(reinterpret_cast<std::uintptr_t>(p), bytes, Access::kRead);  \
  }                                                                                     \
  void __tsan_write##bytes(void* p) {                                                   \
    cuda_emulation::access(reinterpret_cast<std::uintptr_t>(p), bytes, Access::kWrite); \
  }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
#undef ACCESSES
#define ACCESSES(bytes)                                                 \
  void __tsan_unaligned_read##bytes(void* p) { __tsan_read##bytes(p); } \
  void __tsan_unaligned_write##bytes(void* p) { __tsan_write##bytes(p); }
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
#undef ACCESSES
void __tsan_read_range(void* p, std::size_t bytes) {
  cuda_emulation::access(reinterpret_cast<std::uintptr_t>(p), bytes, Access::kRead);
}
void __tsan_write_range(void* p, std::size_t bytes) {
  cuda_emulation::access(reinterpret_cast<std::uintptr_t>(p), bytes, Access::kWrite);
}
void __tsan_init() {}
}
#pragma GCC visibility pop

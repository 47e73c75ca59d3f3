// Runs the threads of a cluster of blocks, which is mostly one block, as fibers: each until it waits at a barrier or
// for the lanes of its warp, in a chosen order. Clusters run one after another. What cannot happen on a card without
// undefined behaviour ends the kernel.
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <stdexcept>

#include "emulation.h"

namespace cuda_emulation {

Registers registers;
Now now;

namespace {

constexpr unsigned kMaxThreads = kMostBlocks * 1024;

enum class State { kRunning, kAtBarrier, kAtClusterBarrier, kAtExchange, kReturned };

struct Fiber {
  unsigned char* stack;
  ucontext_t context;
  jmp_buf resume;
  bool has_started = false;
};

struct Thread {
  State state = State::kRunning;
  Fiber* fiber = nullptr;
  std::uint32_t lanes = 0;  // of the exchange that it waits for
  std::uint64_t value = 0;
  unsigned source = 0;
};

struct Warp {
  std::uint32_t at_exchange = 0;  // the lanes that wait for others
  std::uint32_t interval = 0;     // how many barriers of all its lanes it has passed
};

struct Block {
  dim3 index;
  std::uint32_t number = 0, interval = 0;
  unsigned at_barrier = 0, returned = 0;
};

std::deque<Fiber> fibers;
unsigned char* stacks = nullptr;
jmp_buf scheduler;
const Launch* launched = nullptr;
std::string fault;

// Of the running cluster; threads are numbered block by block.
std::vector<dim3> indices;    // of the threads of a block, in it
std::vector<unsigned> turns;  // in which the threads start
std::vector<Thread> threads;
std::vector<Warp> warps;
std::vector<Block> blocks;
unsigned block_threads = 0, block_warps = 0;
std::uint32_t cluster = 0, cluster_interval = 0;
unsigned at_cluster_barrier = 0, returned = 0, started = 0;
std::vector<Fiber*> free_fibers;
std::deque<unsigned> ready;  // threads that waited and may run again

dim3 index_in(const dim3& size, std::uint64_t number) {
  return {static_cast<unsigned>(number % size.x), static_cast<unsigned>(number / size.x % size.y),
          static_cast<unsigned>(number / size.x / size.y)};
}

std::string text_of(const dim3& index) {
  return "(" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) + ")";
}

// What the running thread sees of the barriers that it has passed.
void update_moment() {
  const Block& block = blocks[now.rank];
  const unsigned thread = now.number % block_threads, warp = thread / kWarp;
  now.moment = {
      cluster, cluster_interval, block.number, block.interval, warp, warps[now.rank * block_warps + warp].interval,
      thread};
}

void become(unsigned number, Fiber* fiber) {
  threads[number].fiber = fiber;
  now.number = number;
  now.rank = number / block_threads;
  now.stack = reinterpret_cast<std::uintptr_t>(fiber->stack);
  registers.thread = indices[number % block_threads];
  registers.block = blocks[now.rank].index;
  update_moment();
}

void yield_to_scheduler() {
  if (_setjmp(threads[now.number].fiber->resume) == 0) _longjmp(scheduler, 1);
}

// A fiber runs one thread after another, as long as none of them waits.
void run_threads() {
  Fiber* fiber = threads[now.number].fiber;
  for (;;) {
    launched->call(launched->parameters.data());
    if (now.has_failed) leave_kernel();
    check_return();
    threads[now.number].state = State::kReturned;
    ++blocks[now.rank].returned;
    ++returned;
    if (started < threads.size() && ready.empty()) {
      become(turns[started++], fiber);
    } else {
      free_fibers.push_back(fiber);
      if (_setjmp(fiber->resume) == 0) _longjmp(scheduler, 1);  // comes back as another thread
    }
  }
}

void enter(Fiber* fiber) {
  if (_setjmp(scheduler) != 0) return;
  if (fiber->has_started) _longjmp(fiber->resume, 1);
  fiber->has_started = true;
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, run_threads, 0);
  setcontext(&fiber->context);
}

// The first thread of a thread's warp, and how many the warp has.
unsigned first_of_warp(unsigned number) { return number - number % block_threads % kWarp; }

unsigned lanes_of_warp(unsigned number) {
  return std::min(kWarp, block_threads - first_of_warp(number) % block_threads);
}

std::string lanes_of(unsigned number, std::uint32_t lanes, State state) {
  std::string text;
  for (unsigned lane = 0; lane < lanes_of_warp(number); ++lane) {
    if (!(lanes >> lane & 1u) || threads[first_of_warp(number) + lane].state != state) continue;
    text += (text.empty() ? "" : " ") + std::to_string(lane);
  }
  return text.empty() ? "none" : text;
}

std::string why_nothing_runs() {
  for (unsigned number = 0; number < threads.size(); ++number) {
    const Thread& thread = threads[number];
    if (thread.state != State::kAtExchange) continue;
    become(number, thread.fiber);
    return "lanes: " + name_of(now.moment.thread) + " waits for lanes of its warp that do not come (at a barrier: " +
           lanes_of(number, thread.lanes, State::kAtBarrier) +
           "; returned: " + lanes_of(number, thread.lanes, State::kReturned) + ")";
  }
  for (const Block& block : blocks) {
    if (block.at_barrier == 0) continue;
    return "barrier: " + std::to_string(block.at_barrier) + " threads of a block wait at a barrier that " +
           std::to_string(block.returned) + " never reached";
  }
  return "barrier: " + std::to_string(at_cluster_barrier) + " threads wait at a barrier of the cluster that " +
         std::to_string(returned) + " never reached";
}

void run_cluster(std::uint64_t number, Order order, std::uint64_t seed) {
  cluster = static_cast<std::uint32_t>(number);
  cluster_interval = 0;
  for (unsigned rank = 0; rank < blocks.size(); ++rank) {
    const std::uint64_t block = number * blocks.size() + rank;  // clusters are along x, whose blocks are neighbours
    blocks[rank] = {index_in(registers.grid_size, block), static_cast<std::uint32_t>(block)};
  }
  std::fill(threads.begin(), threads.end(), Thread{});
  std::fill(warps.begin(), warps.end(), Warp{});
  ready.clear();
  at_cluster_barrier = returned = started = 0;
  begin_cluster();
  while (returned < threads.size()) {
    if (!ready.empty()) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      const bool last = order == Order::kRandom && seed >> 63;
      const unsigned thread = last ? ready.back() : ready.front();
      become(thread, threads[thread].fiber);
      last ? ready.pop_back() : ready.pop_front();
    } else if (started < threads.size()) {
      become(turns[started++], free_fibers.back());
      free_fibers.pop_back();
    } else {
      fault = why_nothing_runs();
      now.has_failed = true;
      return;
    }
    enter(threads[now.number].fiber);
    if (now.has_failed) return;
  }
}

// Every thread in `first` and the `count` - 1 after it, in the order of turns, may run again.
void release(unsigned first, unsigned count) {
  for (const unsigned thread : turns) {
    if (thread - first >= count) continue;
    threads[thread].state = State::kRunning;
    if (thread != now.number) ready.push_back(thread);
  }
  update_moment();
}

}  // namespace

Sequence::Sequence(std::uint64_t count, Order order, std::uint64_t seed) : count_(count), start_(0), step_(1) {
  if (order == Order::kDescending) {
    start_ = count - 1;
    step_ = count - 1 ? count - 1 : 1;
  } else if (order == Order::kRandom) {
    seed = (seed + 1) * 0x9e3779b97f4a7c15u;
    start_ = (seed >> 8) % count;
    step_ = 1 + (seed >> 20) % count;
    while (std::gcd(step_, count) != 1) ++step_;
  }
}

std::uint64_t Sequence::operator[](std::uint64_t index) const {
  return (index * step_ + start_) % count_;  // counts are below 2^31 or the emulation would never end
}

void run_kernel(const Launch& launch, unsigned blocks_of_cluster, Order order, std::uint64_t seed) {
  const dim3 grid = launch.config.gridDim, size = launch.config.blockDim;
  launched = &launch;
  registers.grid_size = grid;
  registers.block_size = size;
  block_threads = size.x * size.y * size.z;
  block_warps = (block_threads + kWarp - 1) / kWarp;
  const unsigned all = block_threads * blocks_of_cluster;
  if (stacks == nullptr) {
    void* memory = mmap(nullptr, kMaxThreads * kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("emulation: no memory for the stacks of threads");
    stacks = static_cast<unsigned char*>(memory);
  }
  while (fibers.size() < all) {
    fibers.emplace_back();
    fibers.back().stack = stacks + (fibers.size() - 1) * kStackBytes;
  }
  free_fibers.clear();
  for (auto& fiber : fibers) free_fibers.push_back(&fiber);
  blocks.resize(blocks_of_cluster);
  threads.resize(all);
  warps.resize(block_warps * blocks_of_cluster);
  indices.resize(block_threads);
  for (unsigned thread = 0; thread < block_threads; ++thread) indices[thread] = index_in(size, thread);
  turns.resize(all);
  const Sequence order_of_threads(all, order, seed);
  for (unsigned thread = 0; thread < all; ++thread) turns[thread] = static_cast<unsigned>(order_of_threads[thread]);
  const std::uint64_t clusters = static_cast<std::uint64_t>(grid.x) * grid.y * grid.z / blocks_of_cluster;
  const Sequence sequence(clusters, order, seed);
  now.has_failed = false;
  now.is_running = true;
  for (std::uint64_t index = 0; index < clusters && !now.has_failed; ++index) {
    run_cluster(sequence[index], order, seed + index);
  }
  now.is_running = false;
  if (!now.has_failed) return;
  for (auto& fiber : fibers) fiber.has_started = false;  // those that were left in the middle of a thread
  throw std::runtime_error("emulation: " + fault);
}

void report(const std::string& what) {
  if (!now.has_failed) fault = what + " (" + name_of(now.moment.thread) + ")";
  now.has_failed = true;
}

// What the thread had allocated is lost: the text of a fault, since kernels allocate nothing.
void leave_kernel() { _longjmp(scheduler, 1); }

void fail(const std::string& what) {
  report(what);
  leave_kernel();
}

std::string name_of(std::uint32_t thread) {
  const std::string of_block = " of block " + text_of(registers.block);
  if (thread >= block_threads) return "several threads" + of_block;
  return "thread " + text_of(index_in(registers.block_size, thread)) + of_block;
}

unsigned lane() { return now.moment.thread % kWarp; }
unsigned cluster_rank() { return now.rank; }
unsigned cluster_size() { return blocks_of_cluster(); }
unsigned blocks_of_cluster() { return static_cast<unsigned>(blocks.size()); }
bool has_left(unsigned rank) { return blocks[rank].returned > 0; }

// A lane gives a value and gets the source lane's, once all `lanes` of its warp have come.
std::uint64_t exchange(std::uint32_t lanes, std::uint64_t value, unsigned source) {
  if (now.has_failed) leave_kernel();
  const unsigned first = first_of_warp(now.number), own = lane(), count = lanes_of_warp(now.number);
  if (!(lanes >> own & 1u)) fail("lanes: a thread calls a shuffle whose mask leaves it out");
  if (source != kLargest && !(lanes >> source & 1u))
    fail("lanes: a thread reads a lane that the mask of its shuffle leaves out");
  if (count < kWarp && lanes >> count) {
    fail("lanes: the mask of a shuffle names lanes that the block does not have");
  }
  Thread& self = threads[now.number];
  self.state = State::kAtExchange;
  self.lanes = lanes;
  self.value = value;
  self.source = source;
  Warp& warp = warps[now.rank * block_warps + now.moment.warp];
  warp.at_exchange |= 1u << own;
  const auto is_with_us = [&](unsigned lane) { return !(lanes >> lane & 1u) || threads[first + lane].lanes == lanes; };
  bool is_complete = (warp.at_exchange & lanes) == lanes;
  for (unsigned lane = 0; is_complete && lane < kWarp; ++lane) is_complete = is_with_us(lane);
  if (!is_complete) {
    const unsigned number = now.number;
    yield_to_scheduler();
    return threads[number].value;
  }
  warp.at_exchange &= ~lanes;
  std::uint64_t values[kWarp + 1] = {};
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!(lanes >> lane & 1u)) continue;
    values[lane] = threads[first + lane].value;
    values[kLargest] = std::max(values[kLargest], values[lane]);
  }
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!(lanes >> lane & 1u)) continue;
    Thread& thread = threads[first + lane];
    thread.value = values[thread.source];
    thread.state = State::kRunning;
    if (lane != own) ready.push_back(first + lane);
  }
  return self.value;
}

}  // namespace cuda_emulation

using namespace cuda_emulation;

// Stricter than some cards: every thread of the block must come, also those that have returned.
void __syncthreads() {
  if (now.has_failed) leave_kernel();
  threads[now.number].state = State::kAtBarrier;
  Block& block = blocks[now.rank];
  if (++block.at_barrier < block_threads) return yield_to_scheduler();
  block.at_barrier = 0;
  ++block.interval;
  release(now.rank * block_threads, block_threads);
}

// What the lanes accessed before it comes before what they access after it, if it is all lanes of the warp.
void __syncwarp(std::uint32_t lanes) {
  const unsigned count = lanes_of_warp(now.number);
  const std::uint32_t all = count < kWarp ? (1u << count) - 1u : 0xffffffffu;
  Warp& warp = warps[now.rank * block_warps + now.moment.warp];
  const std::uint32_t interval = warp.interval;
  exchange(lanes & all, 0, lane());
  if ((lanes & all) == all && warp.interval == interval) ++warp.interval;  // the first of them to run again
  update_moment();
}

void cuda_emulation::sync_cluster() {
  if (now.has_failed) leave_kernel();
  threads[now.number].state = State::kAtClusterBarrier;
  if (++at_cluster_barrier < threads.size()) return yield_to_scheduler();
  at_cluster_barrier = 0;
  ++cluster_interval;
  release(0, static_cast<unsigned>(threads.size()));
}

std::uint32_t atomicMax(std::uint32_t* address, std::uint32_t value) {
  access(reinterpret_cast<std::uintptr_t>(address), sizeof *address, Access::kAtomic);
  const std::uint32_t before = *address;
  if (value > before) *address = value;
  return before;
}

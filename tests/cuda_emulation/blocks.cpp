// Runs the threads of a block as fibers: each until it waits at a barrier or for the lanes of its warp, in a chosen
// order. Blocks run one after another. What cannot happen on a card without undefined behaviour ends the kernel.
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

constexpr unsigned kMaxThreads = 1024;

enum class State { kRunning, kAtBarrier, kAtExchange, kReturned };

struct Fiber {
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

Fiber fibers[kMaxThreads];
unsigned char* stacks = nullptr;
jmp_buf scheduler;
const Launch* launched = nullptr;
std::string fault;

std::vector<dim3> indices;               // of the kernel's threads in their block
std::vector<unsigned> turns;             // in which the threads of a block start
std::vector<Thread> threads;             // of the running block
std::vector<std::uint32_t> at_exchange;  // per warp, the lanes that wait for others
std::vector<Fiber*> free_fibers;
std::deque<unsigned> ready;  // threads that waited and may run again
unsigned at_barrier = 0, returned = 0, started = 0;

unsigned char* stack_of(const Fiber& fiber) { return stacks + (&fiber - fibers) * kStackBytes; }

dim3 index_in(const dim3& size, std::uint64_t number) {
  return {static_cast<unsigned>(number % size.x), static_cast<unsigned>(number / size.x % size.y),
          static_cast<unsigned>(number / size.x / size.y)};
}

std::string text_of(const dim3& index) {
  return "(" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) + ")";
}

void become(unsigned thread, Fiber* fiber) {
  threads[thread].fiber = fiber;
  now.thread = thread;
  now.stack = reinterpret_cast<std::uintptr_t>(stack_of(*fiber));
  registers.thread = indices[thread];
}

void yield_to_scheduler() {
  if (_setjmp(threads[now.thread].fiber->resume) == 0) _longjmp(scheduler, 1);
}

// A fiber runs one thread after another, as long as none of them waits.
void run_threads() {
  Fiber* fiber = threads[now.thread].fiber;
  for (;;) {
    launched->call(launched->parameters.data());
    if (now.has_failed) leave_kernel();
    threads[now.thread].state = State::kReturned;
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
  fiber->context.uc_stack.ss_sp = stack_of(*fiber);
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, run_threads, 0);
  setcontext(&fiber->context);
}

std::string lanes_of(unsigned first_thread, std::uint32_t lanes, State state) {
  std::string text;
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    const unsigned thread = first_thread + lane;
    if (!(lanes >> lane & 1u) || thread >= threads.size() || threads[thread].state != state) continue;
    text += (text.empty() ? "" : " ") + std::to_string(lane);
  }
  return text.empty() ? "none" : text;
}

std::string why_nothing_runs() {
  for (unsigned number = 0; number < threads.size(); ++number) {
    const Thread& thread = threads[number];
    if (thread.state != State::kAtExchange) continue;
    const unsigned first = number / kWarp * kWarp;
    return "lanes: " + name_of(number) + " waits for lanes of its warp that do not come (at a barrier: " +
           lanes_of(first, thread.lanes, State::kAtBarrier) +
           "; returned: " + lanes_of(first, thread.lanes, State::kReturned) + ")";
  }
  return "barrier: " + std::to_string(at_barrier) + " threads of a block wait at a barrier that " +
         std::to_string(returned) + " never reached";
}

void run_block(std::uint64_t number, Order order, std::uint64_t seed) {
  now.block = static_cast<std::uint32_t>(number);
  now.interval = 0;
  registers.block = index_in(registers.grid_size, number);
  threads.assign(threads.size(), Thread{});
  std::fill(at_exchange.begin(), at_exchange.end(), 0u);
  ready.clear();
  at_barrier = returned = started = 0;
  begin_block();
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
    enter(threads[now.thread].fiber);
    if (now.has_failed) return;
  }
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

void run_kernel(const Launch& launch, Order order, std::uint64_t seed) {
  if (stacks == nullptr) {
    void* memory = mmap(nullptr, kMaxThreads * kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("emulation: no memory for the stacks of threads");
    stacks = static_cast<unsigned char*>(memory);
  }
  const dim3 grid = launch.config.gridDim, size = launch.config.blockDim;
  launched = &launch;
  registers.grid_size = grid;
  registers.block_size = size;
  threads.resize(static_cast<std::size_t>(size.x) * size.y * size.z);
  free_fibers.clear();
  for (auto& fiber : fibers) free_fibers.push_back(&fiber);
  indices.resize(threads.size());
  turns.resize(threads.size());
  const Sequence order_of_threads(threads.size(), order, seed);
  for (unsigned thread = 0; thread < threads.size(); ++thread) {
    indices[thread] = index_in(size, thread);
    turns[thread] = static_cast<unsigned>(order_of_threads[thread]);
  }
  at_exchange.resize(threads.size() / kWarp + 1);
  const std::uint64_t blocks = static_cast<std::uint64_t>(grid.x) * grid.y * grid.z;
  const Sequence sequence(blocks, order, seed);
  now.has_failed = false;
  now.is_running = true;
  for (std::uint64_t index = 0; index < blocks && !now.has_failed; ++index) {
    run_block(sequence[index], order, seed + index);
  }
  now.is_running = false;
  if (!now.has_failed) return;
  for (auto& fiber : fibers) fiber.has_started = false;  // those that were left in the middle of a thread
  throw std::runtime_error("emulation: " + fault);
}

void report(const std::string& what) {
  if (!now.has_failed) fault = what + " (" + name_of(now.thread) + ")";
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
  if (thread >= threads.size()) return "several threads" + of_block;
  return "thread " + text_of(index_in(registers.block_size, thread)) + of_block;
}

unsigned lane() { return now.thread % kWarp; }

// A lane gives a value and gets the source lane's, once all `lanes` of its warp have come.
std::uint64_t exchange(std::uint32_t lanes, std::uint64_t value, unsigned source) {
  if (now.has_failed) leave_kernel();
  const unsigned first = now.thread / kWarp * kWarp, own = now.thread % kWarp;
  if (source >= kWarp) source = own;
  if (!(lanes >> own & 1u)) fail("lanes: a thread calls a shuffle whose mask leaves it out");
  if (!(lanes >> source & 1u)) fail("lanes: a thread reads a lane that the mask of its shuffle leaves out");
  if (first + kWarp > threads.size() && lanes >> (threads.size() - first)) {
    fail("lanes: the mask of a shuffle names lanes that the block does not have");
  }
  Thread& self = threads[now.thread];
  self.state = State::kAtExchange;
  self.lanes = lanes;
  self.value = value;
  self.source = source;
  std::uint32_t& waiting = at_exchange[now.thread / kWarp];
  waiting |= 1u << own;
  const auto is_with_us = [&](unsigned lane) { return !(lanes >> lane & 1u) || threads[first + lane].lanes == lanes; };
  bool is_complete = (waiting & lanes) == lanes;
  for (unsigned lane = 0; is_complete && lane < kWarp; ++lane) is_complete = is_with_us(lane);
  if (!is_complete) {
    const unsigned number = now.thread;
    yield_to_scheduler();
    return threads[number].value;
  }
  waiting &= ~lanes;
  std::uint64_t values[kWarp];
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (lanes >> lane & 1u) values[lane] = threads[first + lane].value;
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
  threads[now.thread].state = State::kAtBarrier;
  if (++at_barrier < threads.size()) return yield_to_scheduler();
  at_barrier = 0;
  ++now.interval;
  for (const unsigned thread : turns) {
    threads[thread].state = State::kRunning;
    if (thread != now.thread) ready.push_back(thread);
  }
}

std::uint32_t atomicMax(std::uint32_t* address, std::uint32_t value) {
  access(reinterpret_cast<std::uintptr_t>(address), sizeof *address, Access::kAtomic);
  const std::uint32_t before = *address;
  if (value > before) *address = value;
  return before;
}

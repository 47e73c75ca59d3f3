// What csrc/cuda uses of the toolkit's header of this name: the cluster that the running block belongs to.
#pragma once

#include "cuda_runtime.h"

namespace cooperative_groups {

struct cluster_group {
  static void sync() { cuda_emulation::sync_cluster(); }
  static unsigned block_rank() { return cuda_emulation::cluster_rank(); }
  static unsigned num_blocks() { return cuda_emulation::cluster_size(); }
  template <class T>
  static T* map_shared_rank(T* shared, unsigned rank) {
    return static_cast<T*>(cuda_emulation::of_block(shared, rank));
  }
};

inline cluster_group this_cluster() { return {}; }

}  // namespace cooperative_groups

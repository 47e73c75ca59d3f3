#pragma once

#include <cstdint>

namespace arttl {

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace arttl

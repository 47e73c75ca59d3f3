#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "kernels.h"

namespace py = pybind11;
using namespace arttl;
using release_gil = py::call_guard<py::gil_scoped_release>;

PYBIND11_MODULE(_kernels, m) {
  m.def("channel_mean_cpu", &channel_mean_cpu, release_gil());
  m.def("upsample_multiply_cpu", &upsample_multiply_cpu, release_gil());
  m.def("minmax_normalise_cpu", &minmax_normalise_cpu, release_gil());
  m.def("crop_resize_normalise_cpu", &crop_resize_normalise_cpu, release_gil());
  m.def("resize_rgb_cpu", &resize_rgb_cpu, release_gil());
  m.attr("MOST_STEPS") = kMostSteps;
  m.attr("WIDEST_MAP") = kWidestMap;
  m.attr("MOST_PIXELS") = kMostPixels;
  m.def("backproject_cpu", &backproject_cpu, release_gil());
#if defined(ARTTL_WITH_CUDA)
  m.def("channel_mean_cuda", &channel_mean_cuda, release_gil());
  m.def("backproject_cuda", &backproject_cuda, release_gil());
#endif
}

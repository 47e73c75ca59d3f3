#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "cpu/picture_batch.h"
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
  m.def("decode_jpeg_cpu", &decode_jpeg_cpu, release_gil());
  m.def("box_means_cpu", &box_means_cpu, release_gil());
  m.def("decode_lzw_cpu", &decode_lzw_cpu, release_gil());
  m.def("sum_differences_cpu", &sum_differences_cpu, release_gil());
  m.def("unfilter_png_cpu", &unfilter_png_cpu, release_gil());
  // Local: tests load a second build of this module beside it.
  py::class_<BatchSettings>(m, "BatchSettings", py::module_local())
      .def(py::init<int, const Color3&, const Color3&, int, std::int64_t, std::int64_t, std::int64_t>());
  py::class_<BatchArrays>(m, "BatchArrays", py::module_local())
      .def(py::init<std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t,
                    std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t>());
  py::class_<PictureBatch>(m, "PictureBatch", py::module_local())
      .def(py::init<std::vector<std::string>, std::vector<std::string>, const BatchArrays&, const BatchSettings&>())
      .def("fill", &PictureBatch::fill, release_gil())
      .def("stop", &PictureBatch::stop);
  m.def("class_evidence_cpu", &class_evidence_cpu, release_gil());
  m.attr("MOST_STEPS") = kMostSteps;
  m.attr("WIDEST_MAP") = kWidestMap;
  m.attr("MOST_PIXELS") = kMostPixels;
  m.def("backproject_cpu", &backproject_cpu, release_gil());
#if defined(ARTTL_WITH_CUDA)
  m.def("channel_mean_cuda", &channel_mean_cuda, release_gil());
  m.def("class_evidence_cuda", &class_evidence_cuda, release_gil());
  m.def("backproject_cuda", &backproject_cuda, release_gil());
#endif
}

#include "client/python/native/segment.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "client/python/native/status.h"
#include "hearth/base/error.h"

namespace hearth::python {
namespace {

using client::SharedSegment;

// How NumPy reads bytes: a dtype's text, "C" or "F", a shape; or, in `numpy`,
// its own words.
using Layout = std::tuple<std::string, std::string, Shape, std::string>;

// A buffer that this process may read, or write, for as long as this lives.
class Borrowed {
 public:
  Borrowed(nb::handle object, bool writable) {
    const int flags = writable ? PyBUF_WRITABLE : PyBUF_SIMPLE;
    if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) {
      throw nb::python_error();
    }
  }
  ~Borrowed() { PyBuffer_Release(&view_); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(view_.buf),
            static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

client::SegmentNote NoteOf(const Layout& layout, std::int64_t bytes) {
  const auto& [dtype, order, shape, numpy] = layout;
  client::SegmentNote note;
  note.numpy = numpy;
  note.layout = numpy.empty() ? LayoutOf(dtype, order, shape)
                              : LayoutOf("uint8", "C", {bytes});
  return note;
}

Layout LayoutFrom(const client::SegmentNote& note) {
  const MatrixLayout& layout = note.layout;
  return {TextOf(layout), layout.order == Order::kC ? "C" : "F", layout.shape,
          note.numpy};
}

SharedSegment& Of(PyObject* self) {
  return *nb::inst_ptr<SharedSegment>(nb::handle(self));
}

// Zero bytes have no mapping, and NumPy wants an address all the same.
std::byte nothing[16];

std::byte* AddressOf(const SharedSegment& segment) {
  const auto bytes = segment.bytes();
  return bytes.empty() ? nothing : const_cast<std::byte*>(bytes.data());
}

// Whoever has a view holds this object; the bytes never move. So there is
// nothing to count, and nothing to refuse at the end.
int GetBuffer(PyObject* self, Py_buffer* view, int flags) {
  const SharedSegment& segment = Of(self);
  return PyBuffer_FillInfo(view, self, AddressOf(segment),
                           static_cast<Py_ssize_t>(segment.bytes().size()),
                           segment.writable() ? 0 : 1, flags);
}

PyType_Slot slots[] = {
    {Py_bf_getbuffer, reinterpret_cast<void*>(GetBuffer)},
    {0, nullptr},
};

const char* NameOf(SharedSegment::Kind kind) {
  switch (kind) {
    case SharedSegment::Kind::kOpen:
      return "open";
    case SharedSegment::Kind::kSealed:
      return "sealed";
    case SharedSegment::Kind::kFile:
      return "file";
    case SharedSegment::Kind::kPrivate:
      return "private";
    case SharedSegment::Kind::kMessage:
      return "message";
  }
  return "";
}

SharedSegment Create(std::int64_t bytes, bool mapped,
                     std::int64_t touched_bytes_max) {
  return Take(Unlocked([&] {
    return SharedSegment::Create(
        bytes, {.mapped = mapped, .touched_bytes_max = touched_bytes_max});
  }));
}

std::pair<SharedSegment, Layout> Open(const std::string& handle,
                                      bool from_call) {
  const auto from =
      from_call ? client::HandleFrom::kCall : client::HandleFrom::kUser;
  auto [segment, note] =
      Take(Unlocked([&] { return SharedSegment::Open(handle, from); }));
  return {std::move(segment), LayoutFrom(note)};
}

std::pair<SharedSegment, Layout> Load(const std::string& path,
                                      const std::string& dtype,
                                      const std::optional<Shape>& shape,
                                      std::int64_t offset,
                                      const std::string& order) {
  const Matrix matrix = Take(Unlocked([&] {
    return Matrix::Load({.text = path,
                         .dtype = dtype,
                         .shape = shape,
                         .offset = offset,
                         .order = order == "F" ? Order::kFortran : Order::kC});
  }));
  return {SharedSegment::Of(matrix), LayoutFrom({.layout = matrix.layout()})};
}

void CopyIn(SharedSegment& segment, std::int64_t offset, nb::handle from,
            bool give_back) {
  const Borrowed borrowed(from, give_back);
  Check(Unlocked([&] {
    return give_back ? segment.MoveIn(offset, borrowed.bytes())
                     : segment.CopyIn(offset, borrowed.bytes());
  }));
}

void MoveOut(SharedSegment& segment, std::int64_t offset, nb::handle to) {
  const Borrowed borrowed(to, /*writable=*/true);
  Check(Unlocked([&] { return segment.MoveOut(offset, borrowed.bytes()); }));
}

}  // namespace

MatrixLayout LayoutOf(const std::string& dtype, const std::string& order,
                      const Shape& shape) {
  const NamedElementType type = Take(ParseElementType(dtype));
  return Take(MatrixLayout::Make(type.type, type.byte_order,
                                 order == "F" ? Order::kFortran : Order::kC,
                                 shape));
}

std::string TextOf(const MatrixLayout& layout) {
  std::string text(NpyCodeOf(layout.type));
  if (layout.byte_order == ByteOrder::kForeign && text.front() == '<') {
    text.front() = '>';
  }
  return text;
}

void BindSegment(nb::module_& module) {
  nb::class_<SharedSegment>(module, "Segment", nb::type_slots(slots),
                            nb::is_weak_referenceable(), nb::dynamic_attr())
      .def_static("create", &Create, nb::arg("bytes"), nb::arg("mapped") = true,
                  nb::arg("touched_bytes_max") = INT64_MAX)
      .def_static("open", &Open, nb::arg("handle"),
                  nb::arg("from_call") = false)
      .def_static("load", &Load, nb::arg("path"), nb::arg("dtype") = "",
                  nb::arg("shape") = nb::none(), nb::arg("offset") = 0,
                  nb::arg("order") = "C")
      .def_prop_ro(
          "kind",
          [](const SharedSegment& segment) { return NameOf(segment.kind()); })
      .def_prop_ro("writable", &SharedSegment::writable)
      .def_prop_ro(
          "nbytes",
          [](const SharedSegment& segment) { return segment.bytes().size(); })
      .def_prop_ro(
          "address",
          [](const SharedSegment& segment) {
            return reinterpret_cast<std::uintptr_t>(AddressOf(segment));
          })
      .def_prop_ro("file", &SharedSegment::file)
      .def_prop_ro("identity",
                   [](const SharedSegment& segment) {
                     const auto [device, inode] = segment.identity();
                     return std::tuple(device, inode, segment.offset(),
                                       segment.bytes().size());
                   })
      .def("copy_in", &CopyIn, nb::arg("offset"), nb::arg("source"),
           nb::arg("give_back") = false)
      .def("move_out", &MoveOut, nb::arg("offset"), nb::arg("target"))
      .def("seal",
           [](SharedSegment& segment) {
             Check(Unlocked([&] { return segment.Seal(); }));
           })
      .def("private",
           [](const SharedSegment& segment) {
             return Take(Unlocked([&] { return segment.Private(); }));
           })
      .def(
          "hand_out",
          [](const SharedSegment& segment, const Layout& layout) {
            const client::SegmentNote note =
                NoteOf(layout, std::ssize(segment.bytes()));
            return Take(Unlocked([&] { return segment.HandOut(note); }));
          },
          nb::arg("layout"));
  module.def(
      "hand_out_again",
      [](const std::string& handle) {
        return Take(Unlocked([&] { return client::HandOutAgain(handle); }));
      },
      nb::arg("handle"));
}

}  // namespace hearth::python

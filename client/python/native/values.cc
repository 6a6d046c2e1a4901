#include "client/python/native/values.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/python/native/locked.h"
#include "client/python/native/segment.h"
#include "client/python/native/status.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/object/call_context.h"
#include "hearth/object/call_error.h"
#include "hearth/object/convert.h"

namespace hearth::python {
namespace {

using object_internal::Within;

// What hearth._values has told when it was loaded; never let go of.
struct Helpers {
  nb::handle pack;
  nb::handle array_of;
  nb::handle matrix_of;
  nb::handle proxy_of;
  nb::handle struct_of;
  nb::handle failure;
  nb::handle exception_of;
} helpers;

// The bytes of an array that came, as a buffer that NumPy stands on: read-only
// where they lie in a segment.
struct ArrayBuffer {
  ArrayBytes bytes;
};

int GetArrayBuffer(PyObject* self, Py_buffer* view, int flags) {
  ArrayBytes& bytes = nb::inst_ptr<ArrayBuffer>(nb::handle(self))->bytes;
  return PyBuffer_FillInfo(view, self, const_cast<char*>(bytes.data()),
                           static_cast<Py_ssize_t>(bytes.size()),
                           bytes.is_own() ? 0 : 1, flags);
}

PyType_Slot array_slots[] = {
    {Py_bf_getbuffer, reinterpret_cast<void*>(GetArrayBuffer)},
    {0, nullptr},
};

bool Write(PyObject* from, Value& out, std::string& fault, int depth);

bool WriteText(PyObject* from, Value& out, std::string& fault) {
  Py_ssize_t size = 0;
  const char* const data = PyUnicode_AsUTF8AndSize(from, &size);
  if (data == nullptr) {
    if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) == 0) {
      throw nb::python_error();
    }
    PyErr_Clear();
    fault = "is a str with a lone surrogate, which is no text; send bytes";
    return false;
  }
  out = Value(std::string(data, static_cast<std::size_t>(size)));
  return true;
}

bool WriteInteger(PyObject* from, Value& out, std::string& fault) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(from, &overflow);
  if (overflow == 0) {
    out = Value(static_cast<std::int64_t>(number));
    return true;
  }
  if (overflow > 0) {
    const unsigned long long natural = PyLong_AsUnsignedLongLong(from);
    if (PyErr_Occurred() == nullptr) {
      out = Value(static_cast<std::uint64_t>(natural));
      return true;
    }
    PyErr_Clear();
  }
  fault = "is an int beyond 64 bits; send it as a str";
  return false;
}

bool WriteItems(PyObject* from, std::vector<Value>& items, std::string& fault,
                int depth) {
  items.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(from)));
  // What an item asks of Python may change the list.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(from); ++i) {
    const auto item = nb::borrow(PySequence_Fast_GET_ITEM(from, i));
    if (!Write(item.ptr(), items.emplace_back(), fault, depth)) {
      fault = Within(absl::StrCat("item ", i), fault);
      return false;
    }
  }
  return true;
}

bool WriteMap(PyObject* from, Value& out, std::string& fault, int depth) {
  Value::Map map;
  map.reserve(static_cast<std::size_t>(PyDict_GET_SIZE(from)));
  // What a key or a value asks of Python may change the dict, and so may other
  // threads meanwhile: its copy holds what was there.
  const nb::object copy = nb::steal(PyDict_Copy(from));
  if (!copy.is_valid()) throw nb::python_error();
  PyObject* key = nullptr;
  PyObject* mapped = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(copy.ptr(), &at, &key, &mapped) != 0) {
    auto& [to_key, to_mapped] = map.emplace_back();
    if (!Write(key, to_key, fault, depth)) {
      fault = Within("a key", fault);
      return false;
    }
    if (!Write(mapped, to_mapped, fault, depth)) {
      fault =
          Within(absl::StrCat("the value of ",
                              nb::cast<std::string>(nb::repr(nb::handle(key)))),
                 fault);
      return false;
    }
  }
  out = Value(std::move(map));
  return true;
}

// The bytes of a buffer: copied, or where they are many, borrowed until the
// call copies them once.
ArrayBytes BytesOf(nb::handle buffer) {
  Py_buffer view{};
  if (PyObject_GetBuffer(buffer.ptr(), &view, PyBUF_SIMPLE) != 0) {
    throw nb::python_error();
  }
  const auto* const data = static_cast<const std::byte*>(view.buf);
  const auto size = static_cast<std::size_t>(view.len);
  ArrayBytes bytes =
      view.len >= limits::kArrayInlineBytesMax
          ? ArrayBytes::Borrowed({data, size}, Hold(buffer))
          : ArrayBytes(std::string(static_cast<const char*>(view.buf), size));
  PyBuffer_Release(&view);
  return bytes;
}

Value ArrayOf(const nb::tuple& packed) {
  return Value(ValueArray{.layout = LayoutOf(nb::cast<std::string>(packed[1]),
                                             nb::cast<std::string>(packed[2]),
                                             nb::cast<Shape>(packed[3])),
                          .bytes = BytesOf(packed[4])});
}

// A generator as values made one by one.
Value StreamOf(nb::handle items) {
  auto source = std::make_shared<ItemSource>(
      [held = Hold(items)]() -> absl::StatusOr<std::optional<Value>> {
        const Locked locked;
        try {
          const auto item = nb::steal(PyIter_Next(held.get()));
          if (!item.is_valid()) {
            if (PyErr_Occurred() != nullptr) throw nb::python_error();
            return std::nullopt;
          }
          Value value;
          std::string fault;
          if (ToValue(item, value, fault)) return value;
          return ResultFault(absl::StrCat("give an item: it ", fault));
        } catch (nb::python_error& raised) {
          return StatusOf(raised, "a stream");
        }
      });
  return Value(ValueStream{.source = std::move(source)});
}

// What only Python can tell: arrays, handles, structs, numbers of NumPy's.
bool WriteOther(PyObject* from, Value& out, std::string& fault, int depth) {
  const auto packed = nb::borrow<nb::tuple>(helpers.pack(nb::handle(from)));
  const auto tag = nb::cast<std::string>(packed[0]);
  if (tag == "fault") {
    fault = nb::cast<std::string>(packed[1]);
    return false;
  }
  if (tag == "value") {
    return Write(nb::object(packed[1]).ptr(), out, fault, depth);
  }
  if (tag == "array") {
    out = ArrayOf(packed);
  } else if (tag == "matrix") {
    out = Value(MatrixHandle{nb::cast<std::string>(packed[1])});
  } else if (tag == "object") {
    out = Value(nb::cast<const RemoteObject&>(packed[1]).proxy().handle());
  } else if (tag == "items") {
    if (depth > 1) {
      fault = "is a generator, which only a whole result can be";
      return false;
    }
    out = StreamOf(packed[1]);
  } else {
    ValueStruct made{.type = nb::cast<std::string>(packed[1]), .fields = {}};
    for (const nb::handle field : nb::borrow<nb::tuple>(packed[2])) {
      const auto pair = nb::borrow<nb::tuple>(field);
      auto& [name, value] = made.fields.emplace_back();
      name = nb::cast<std::string>(pair[0]);
      if (!Write(nb::object(pair[1]).ptr(), value, fault, depth)) {
        fault = Within(absl::StrCat("field \"", name, "\""), fault);
        return false;
      }
    }
    out = Value(std::move(made));
  }
  return true;
}

bool Write(PyObject* from, Value& out, std::string& fault, int depth) {
  if (depth++ > limits::kValueDepthMax) {
    fault = absl::StrCat("nests deeper than ", limits::kValueDepthMax);
    return false;
  }
  if (from == Py_None) {
    out = Value();
  } else if (PyBool_Check(from)) {
    out = Value(from == Py_True);
  } else if (PyLong_Check(from)) {
    return WriteInteger(from, out, fault);
  } else if (PyFloat_Check(from)) {
    out = Value(PyFloat_AS_DOUBLE(from));
  } else if (PyUnicode_Check(from)) {
    return WriteText(from, out, fault);
  } else if (PyBytes_Check(from)) {
    out = Value(ValueBytes{
        std::string(PyBytes_AS_STRING(from),
                    static_cast<std::size_t>(PyBytes_GET_SIZE(from)))});
  } else if (PyList_Check(from)) {
    Value::List items;
    if (!WriteItems(from, items, fault, depth)) return false;
    out = Value(std::move(items));
  } else if (PyTuple_Check(from)) {
    ValueTuple tuple;
    if (!WriteItems(from, tuple.items, fault, depth)) return false;
    out = Value(std::move(tuple));
  } else if (PyDict_Check(from)) {
    return WriteMap(from, out, fault, depth);
  } else {
    return WriteOther(from, out, fault, depth);
  }
  return true;
}

// One overload a kind of value.
struct Reader {
  const std::shared_ptr<Link>& link;

  nb::object operator()(std::monostate) const { return nb::none(); }
  nb::object operator()(bool value) const { return nb::bool_(value); }
  nb::object operator()(std::int64_t value) const { return nb::int_(value); }
  nb::object operator()(std::uint64_t value) const { return nb::int_(value); }
  nb::object operator()(double value) const { return nb::float_(value); }
  nb::object operator()(const std::string& value) const {
    return nb::str(value.data(), value.size());
  }
  nb::object operator()(const ValueBytes& value) const {
    return nb::bytes(value.data.data(), value.data.size());
  }
  nb::object operator()(Value::List& values) const {
    const auto list =
        nb::steal(PyList_New(static_cast<Py_ssize_t>(values.size())));
    for (std::size_t i = 0; i < values.size(); ++i) {
      PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i),
                      FromValue(std::move(values[i]), link).release().ptr());
    }
    return list;
  }
  nb::object operator()(ValueTuple& value) const {
    const auto tuple =
        nb::steal(PyTuple_New(static_cast<Py_ssize_t>(value.items.size())));
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      PyTuple_SET_ITEM(
          tuple.ptr(), static_cast<Py_ssize_t>(i),
          FromValue(std::move(value.items[i]), link).release().ptr());
    }
    return tuple;
  }
  nb::object operator()(Value::Map& values) const {
    nb::dict dict;
    for (auto& [key, mapped] : values) {
      dict[FromValue(std::move(key), link)] =
          FromValue(std::move(mapped), link);
    }
    return dict;
  }
  nb::object operator()(ValueStruct& value) const {
    nb::dict fields;
    for (auto& [name, field] : value.fields) {
      fields[name.c_str()] = FromValue(std::move(field), link);
    }
    return helpers.struct_of(value.type, fields);
  }
  nb::object operator()(ValueArray& value) const {
    const MatrixLayout& layout = value.layout;
    return helpers.array_of(ArrayBuffer{std::move(value.bytes)},
                            python::TextOf(layout),
                            layout.order == Order::kC ? "C" : "F",
                            nb::tuple(nb::cast(layout.shape)));
  }
  nb::object operator()(const MatrixHandle& value) const {
    return helpers.matrix_of(value.text, link);
  }
  nb::object operator()(const ObjectHandle& value) const {
    Surroundings* const surroundings = SurroundingsScope::Current();
    if (surroundings == nullptr) return nb::none();
    return helpers.proxy_of(
        RemoteObject(link, Proxy(surroundings->Bind(value))));
  }
  nb::object operator()(ValueStream& value) const {
    return nb::cast(RemoteItems(std::move(value.source), link,
                                SurroundingsScope::Current()));
  }
};

}  // namespace

absl::Status ResultFault(absl::string_view sentence) {
  return WithType(Error(Reason::kBadParameter, sentence), "TypeError");
}

bool ToValue(nb::handle from, Value& out, std::string& fault) {
  return Write(from.ptr(), out, fault, 1);
}

bool ToResult(nb::handle from, Value& out, std::string& fault) {
  return Write(from.ptr(), out, fault, 0);
}

nb::object FromValue(Value value, const std::shared_ptr<Link>& link) {
  return std::visit(
      [&](auto& held) { return Reader{link}(held); },
      const_cast<Value::Variant&>(value.variant()));  // ours to move from
}

absl::Status StatusOf(nb::python_error& raised, const std::string& what) {
  const nb::object error = nb::borrow(raised.value());
  try {
    const auto [reason, type, message, hops] =
        nb::cast<std::tuple<std::string, std::string, std::string,
                            std::vector<std::string>>>(
            helpers.failure(error, what));
    absl::Status status = absl::UnknownError(message);
    for (std::uint32_t number = 0; ReasonFromNumber(number).has_value();
         ++number) {
      const Reason known = *ReasonFromNumber(number);
      if (InfoOf(known).name == reason && known != Reason::kUnspecified) {
        status = Error(known, message);
      }
    }
    if (!type.empty()) status = WithType(std::move(status), type);
    for (const std::string& hop : hops) {
      status = WithHop(std::move(status), hop);
    }
    return status;
  } catch (nb::python_error& again) {
    again.discard_as_unraisable("the error of a method");
    return absl::UnknownError(absl::StrCat("call ", what, ": it failed"));
  }
}

nb::object ExceptionOf(const absl::Status& status) {
  return helpers.exception_of(std::string(InfoOf(ReasonOf(status)).name),
                              TypeOf(status), std::string(status.message()),
                              StackOf(status), CorrelationOf(status));
}

void RaiseCall(const absl::Status& status) {
  const nb::object error = ExceptionOf(status);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())),
                  error.ptr());
  throw nb::python_error();
}

void BindValues(nb::module_& module) {
  module.def("know", [](const nb::dict& known) {
    const auto of = [&](const char* name) {
      return nb::handle(nb::object(known[name]).release());
    };
    helpers = {of("pack"),        of("array_of"),  of("matrix_of"),
               of("proxy_of"),    of("struct_of"), of("failure"),
               of("exception_of")};
  });
  nb::class_<ArrayBuffer>(module, "ArrayBuffer", nb::type_slots(array_slots));
}

}  // namespace hearth::python

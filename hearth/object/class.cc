#include "hearth/object/class.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <typeinfo>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/object/call_error.h"

namespace hearth {
namespace {

constexpr absl::string_view kArgument = "hearth.argument";

std::string NamesOf(const std::vector<Parameter>& parameters) {
  return absl::StrJoin(
      parameters, ", ", [](std::string* out, const Parameter& parameter) {
        absl::StrAppend(out, parameter.name, ": ", parameter.type,
                        parameter.optional ? " (may be left out)" : "");
      });
}

absl::Status CheckCount(const std::string& what,
                        const std::vector<Parameter>& parameters,
                        std::size_t count) {
  const auto needed = static_cast<std::size_t>(
      std::count_if(parameters.begin(), parameters.end(),
                    [](const Parameter& one) { return !one.optional; }));
  if (needed <= count && count <= parameters.size()) return absl::OkStatus();
  const std::string range =
      needed == parameters.size() ? "" : absl::StrCat(needed, " to ");
  return Error(
      Reason::kBadParameter,
      absl::StrCat("call ", what, ": it takes ", range, parameters.size(),
                   parameters.size() == 1 ? " argument" : " arguments", " (",
                   NamesOf(parameters), "), got ", count));
}

// A fault of an argument becomes a sentence that names its parameter.
absl::Status Named(const absl::Status& status, const std::string& what,
                   const std::vector<Parameter>& parameters) {
  const auto payload = status.GetPayload(kArgument);
  std::size_t index = 0;
  if (!payload.has_value() ||
      !absl::SimpleAtoi(std::string(*payload), &index) ||
      index >= parameters.size()) {
    return status;
  }
  return Error(
      Reason::kBadParameter,
      absl::StrCat("call ", what, ": parameter ",
                   Quoted(parameters[index].name), " ", status.message()));
}

std::string Demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string out = status == 0 ? text : name;
  std::free(text);
  return out;
}

// `work`, with what it throws as a Status: no exception crosses this border.
template <class Work>
auto Caught(const std::string& what, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception& thrown) {
    return TypedError(Demangled(typeid(thrown).name()),
                      absl::StrCat("call ", what, ": ", thrown.what()),
                      absl::StatusCode::kUnknown);
  } catch (...) {
    return TypedError("exception",
                      absl::StrCat("call ", what, ": it threw something"),
                      absl::StatusCode::kUnknown);
  }
}

Value DescribeParameters(const std::vector<Parameter>& parameters) {
  Value::List list;
  for (const Parameter& parameter : parameters) {
    Value::Map one{{"name", Value(parameter.name)},
                   {"type", Value(parameter.type)}};
    if (parameter.optional) one.emplace_back("optional", Value(true));
    list.push_back(Value(std::move(one)));
  }
  return Value(std::move(list));
}

}  // namespace

const Method* Class::Find(absl::string_view method) const {
  const auto found =
      methods.find(std::string_view(method.data(), method.size()));
  return found == methods.end() ? nullptr : &found->second;
}

absl::StatusOr<const Method*> FindMethod(const Class& of,
                                         absl::string_view object,
                                         absl::string_view method) {
  if (const Method* found = of.Find(method); found != nullptr) return found;
  return Error(
      Reason::kNameUnknown,
      absl::StrCat("call ", Quoted(object), ": its class ", of.name,
                   " exposes no method ", Quoted(method), "; it has ",
                   absl::StrJoin(of.methods, ", ",
                                 [](std::string* out, const auto& entry) {
                                   absl::StrAppend(out, entry.first);
                                 })));
}

absl::StatusOr<Value> Invoke(const Class& of, const Method& method,
                             void* object, CallContext& context,
                             std::vector<Value>& arguments) {
  const std::string what = absl::StrCat(of.name, ".", method.name);
  if (auto status = CheckCount(what, method.parameters, arguments.size());
      !status.ok()) {
    return status;
  }
  absl::StatusOr<Value> result =
      Caught(what, [&] { return method.invoke(object, context, arguments); });
  if (!result.ok()) return Named(result.status(), what, method.parameters);
  return result;
}

absl::StatusOr<std::shared_ptr<void>> Construct(const Class& of,
                                                std::vector<Value>& arguments) {
  if (of.construct == nullptr) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat("create a ", of.name,
                              ": the class declares no constructor"));
  }
  if (auto status =
          CheckCount(of.name, of.constructor_parameters, arguments.size());
      !status.ok()) {
    return status;
  }
  auto made = Caught(of.name, [&] { return of.construct(arguments); });
  if (!made.ok()) {
    return Named(made.status(), of.name, of.constructor_parameters);
  }
  return made;
}

Value Describe(const Class& of) {
  constexpr const char* kModes[] = {"single", "session", "per-call"};
  Value::List methods;
  for (const auto& [name, method] : of.methods) {
    methods.push_back(
        Value(Value::Map{{"name", Value(name)},
                         {"parameters", DescribeParameters(method.parameters)},
                         {"result", Value(method.result)},
                         {"doc", Value(method.marks.doc)},
                         {"attribute", Value(method.is_attribute)},
                         {"oneway", Value(method.marks.oneway)},
                         {"idempotent", Value(method.marks.idempotent)},
                         {"concurrent", Value(method.marks.concurrent)},
                         {"exactly_once", Value(method.marks.exactly_once)}}));
  }
  return Value(Value::Map{
      {"name", Value(of.name)},
      {"doc", Value(of.options.doc)},
      {"mode", Value(kModes[static_cast<int>(of.options.mode)])},
      {"constructor", of.construct == nullptr
                          ? Value()
                          : DescribeParameters(of.constructor_parameters)},
      {"methods", Value(std::move(methods))}});
}

namespace object_internal {

absl::Status ArgumentFault(std::size_t index, absl::string_view fault) {
  absl::Status status = absl::InvalidArgumentError(fault);
  status.SetPayload(kArgument, absl::Cord(absl::StrCat(index)));
  return status;
}

}  // namespace object_internal

}  // namespace hearth

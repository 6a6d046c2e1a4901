#pragma once

#include <any>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/object/call_context.h"
#include "hearth/object/value.h"

namespace hearth {

struct Parameter {
  std::string name;
  std::string type;       // as error messages say it
  bool optional = false;  // may be left out, with all that follow
};

// What a method's declaration says beside its name and its C++ function.
struct Marks {
  std::vector<std::string> parameters = {};  // their names, in order
  std::string doc = {};
  // The caller doesn't wait, and learns nothing.
  bool oneway = false;
  // Twice is as good as once: asked again when a connection breaks.
  bool idempotent = false;
  // May run beside other calls of the object.
  bool concurrent = false;
  // Runs once, however often it is asked again.
  bool exactly_once = false;
};

// One thing that can be called of an object. `arguments` are as many as there
// are parameters, but for optional ones at the end, in order, and may be moved
// from.
struct Method {
  using Invoke = std::function<absl::StatusOr<Value>(
      void* object, CallContext& context, std::vector<Value>& arguments)>;

  std::string name;
  std::vector<Parameter> parameters;
  std::string result;  // the type; "" for nothing, "stream of T" for items
  Marks marks;
  bool is_attribute = false;  // a getter; NAME= is its setter
  Invoke invoke;
  std::any function;  // the C++ member that it was declared with
};

enum class InstanceMode { kSingle, kSession, kPerCall };

struct ClassOptions {
  std::string doc = {};
  InstanceMode mode = InstanceMode::kSingle;
  // All methods may run beside each other.
  bool concurrent = false;
  // Calls that may wait for an instance; more are refused.
  int waiting_max = 1024;
  // How long a call may take, whatever its caller allows.
  absl::Duration call_time_max = absl::InfiniteDuration();
};

// What can be called of objects of one type, by name: nothing else can. Made by
// Declare<T> (declare.h), or by hand where methods are known at run time only.
struct Class {
  std::string name;
  ClassOptions options;
  std::vector<Parameter> constructor_parameters;
  // Makes an instance; null: instances come from elsewhere.
  std::function<absl::StatusOr<std::shared_ptr<void>>(std::vector<Value>&)>
      construct;
  std::map<std::string, Method, std::less<>> methods;

  const Method* Find(absl::string_view method) const;
};

// The result of `method` of `object`. Refuses, naming the method, the
// parameter, what is expected and what came, before anything is called. What a
// method throws is an error of the exception's type.
absl::StatusOr<Value> Invoke(const Class& of, const Method& method,
                             void* object, CallContext& context,
                             std::vector<Value>& arguments);
absl::StatusOr<std::shared_ptr<void>> Construct(const Class& of,
                                                std::vector<Value>& arguments);

// NAME_UNKNOWN, listing what there is.
absl::StatusOr<const Method*> FindMethod(const Class& of,
                                         absl::string_view object,
                                         absl::string_view method);

// Asked of any object, it answers with what its class declares.
inline constexpr char kDescribe[] = "$describe";

// What a class declares, as a Value: for listings, Python and JSON.
Value Describe(const Class& of);

namespace object_internal {
// A fault of the argument at `index`, on its way out of an Invoke.
absl::Status ArgumentFault(std::size_t index, absl::string_view fault);
}  // namespace object_internal

}  // namespace hearth

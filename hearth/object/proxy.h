// What stands for an object elsewhere.
//
//   hearth::Proxy counter = objects.Get("counter");
//   absl::StatusOr<int64_t> sum = counter.Call<int64_t>("add", 5);
//   auto later = counter.Later<int64_t>("add", 5);      // later.Get()
//   counter.Oneway("add", 5);
//
// and, where the class's header is at hand, checked by the compiler:
//
//   hearth::TypedProxy<Counter> typed(counter);
//   absl::StatusOr<int64_t> sum = typed.Call<&Counter::Add>(5);
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/object/call_context.h"
#include "hearth/object/convert.h"
#include "hearth/object/declare.h"
#include "hearth/object/target.h"

namespace hearth {

namespace object_internal {

template <class T>
absl::StatusOr<T> ReadResult(absl::StatusOr<Value> value,
                             absl::string_view method) {
  if (!value.ok()) return std::move(value).status();
  T out{};
  std::string fault;
  if (Type<T>::Read(*value, out, fault)) return out;
  return Error(
      Reason::kBadParameter,
      absl::StrCat("read the result of ", std::string(method), ": it ", fault));
}
template <class T>
struct CallResult {
  using type = absl::StatusOr<T>;
  static type Make(absl::StatusOr<Value> value, absl::string_view method) {
    return ReadResult<T>(std::move(value), method);
  }
};
template <>
struct CallResult<void> {
  using type = absl::Status;
  static type Make(const absl::StatusOr<Value>& value, absl::string_view) {
    return value.status();
  }
};

// The state of a call that was not waited for.
class Outcome {
 public:
  void Set(absl::StatusOr<Value> value) {
    {
      std::scoped_lock lock(mutex_);
      value_ = std::move(value);
    }
    changed_.notify_all();
  }
  bool ready() const {
    std::scoped_lock lock(mutex_);
    return value_.has_value();
  }
  absl::StatusOr<Value> Wait() const {
    // A method that waits lets its chain come back to its object.
    CallContext* current = CallContext::Current();
    const bool tell = current != nullptr && current->on_wait != nullptr;
    if (tell) current->on_wait(true);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return value_.has_value(); });
    lock.unlock();
    if (tell) current->on_wait(false);
    return *value_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::optional<absl::StatusOr<Value>> value_;
};

}  // namespace object_internal

// A result to come.
//
// Kind:    value-like handle; letting go of it does not end the call.
// Threads: any.
template <class T>
class Future {
 public:
  using Result = typename object_internal::CallResult<T>::type;

  Future(std::shared_ptr<object_internal::Outcome> outcome,
         Cancellation cancellation, std::string method)
      : outcome_(std::move(outcome)),
        cancellation_(std::move(cancellation)),
        method_(std::move(method)) {}

  bool ready() const { return outcome_->ready(); }
  // Waits for it; may be asked again.
  Result Get() const {
    return object_internal::CallResult<T>::Make(outcome_->Wait(), method_);
  }
  void Cancel() const { cancellation_.Cancel(); }

 private:
  std::shared_ptr<object_internal::Outcome> outcome_;
  Cancellation cancellation_;
  std::string method_;
};

// The items of a method that returns Items.
//
// Kind:    resource; moves. Letting go of it frees them at the other end.
// Threads: one at a time.
template <class T>
class Stream {
 public:
  explicit Stream(std::shared_ptr<ItemSource> source)
      : source_(std::move(source)) {}
  // The next one; none after the last. After an error there is no more.
  absl::StatusOr<std::optional<T>> Next() {
    if (source_ == nullptr) return std::nullopt;
    absl::StatusOr<std::optional<Value>> value = (*source_)();
    if (!value.ok() || !value->has_value()) source_ = nullptr;
    if (!value.ok()) return value.status();
    if (!value->has_value()) return std::nullopt;
    auto item = object_internal::ReadResult<T>(**std::move(value), "a stream");
    if (!item.ok()) return item.status();
    return std::optional<T>(*std::move(item));
  }

 private:
  std::shared_ptr<ItemSource> source_;
};

class Proxy;

// Calls that are sent together and done in order, up to the first that fails.
//
// Kind:    value. Threads: one at a time.
class Batch {
 public:
  explicit Batch(std::shared_ptr<Target> target, CallOptions options)
      : target_(std::move(target)), options_(std::move(options)) {}
  template <class... Args>
  Batch& Add(std::string method, Args&&... arguments) {
    return AddValues(std::move(method),
                     ListOf(std::forward<Args>(arguments)...));
  }
  Batch& AddValues(std::string method, std::vector<Value> arguments) {
    steps_.push_back({std::move(method), std::move(arguments)});
    return *this;
  }
  std::size_t size() const { return steps_.size(); }
  // Empties it.
  BatchResult Run() {
    return target_->CallAll(std::exchange(steps_, {}), options_);
  }

 private:
  std::shared_ptr<Target> target_;
  CallOptions options_;
  std::vector<CallStep> steps_;
};

// Kind:    value; copies go to the same object. A default one leads nowhere.
// Threads: any.
class Proxy {
 public:
  Proxy() = default;
  explicit Proxy(std::shared_ptr<Target> target, CallOptions options = {})
      : target_(std::move(target)), options_(std::move(options)) {}

  // The same object, called with these options from now on.
  Proxy With(CallOptions options) const {
    return Proxy(target_, std::move(options));
  }

  template <class T, class... Args>
  typename object_internal::CallResult<T>::type Call(
      const std::string& method, Args&&... arguments) const {
    absl::StatusOr<Value> value =
        CallValues(method, ListOf(std::forward<Args>(arguments)...));
    const SurroundingsScope scope(surroundings());
    return object_internal::CallResult<T>::Make(std::move(value), method);
  }
  absl::StatusOr<Value> CallValues(const std::string& method,
                                   std::vector<Value> arguments) const;

  template <class... Args>
  absl::Status Oneway(const std::string& method, Args&&... arguments) const {
    return SendValues(method, ListOf(std::forward<Args>(arguments)...));
  }
  absl::Status SendValues(const std::string& method,
                          std::vector<Value> arguments) const;

  template <class T, class... Args>
  Future<T> Later(const std::string& method, Args&&... arguments) const {
    Cancellation cancellation;
    return Future<T>(
        Begin(method, ListOf(std::forward<Args>(arguments)...), cancellation),
        cancellation, method);
  }
  std::shared_ptr<object_internal::Outcome> Begin(
      const std::string& method, std::vector<Value> arguments,
      const Cancellation& cancellation) const;
  // `done` is called once, from any thread. One that never waits, for another
  // call least of all, may be `done_is_quick`: it is spared a change of thread.
  void BeginThen(const std::string& method, std::vector<Value> arguments,
                 const Cancellation& cancellation, Target::Done done,
                 bool done_is_quick = false) const;

  template <class T, class... Args>
  absl::StatusOr<Stream<T>> Iterate(const std::string& method,
                                    Args&&... arguments) const {
    absl::StatusOr<std::shared_ptr<ItemSource>> source =
        Open(method, ListOf(std::forward<Args>(arguments)...));
    if (!source.ok()) return source.status();
    return Stream<T>(*std::move(source));
  }
  absl::StatusOr<std::shared_ptr<ItemSource>> Open(
      const std::string& method, std::vector<Value> arguments) const;

  // Attributes.
  template <class T>
  absl::StatusOr<T> Get(const std::string& attribute) const {
    return Call<T>(attribute);
  }
  template <class T>
  absl::Status Set(const std::string& attribute, T&& value) const {
    return Call<void>(attribute + "=", std::forward<T>(value));
  }

  hearth::Batch Batch() const { return hearth::Batch(target_, options_); }
  // Name, doc, constructor and methods of its class.
  absl::StatusOr<Value> Describe() const;
  ObjectHandle handle() const {
    return target_ == nullptr ? ObjectHandle{} : target_->handle();
  }
  explicit operator bool() const { return target_ != nullptr; }
  Surroundings* surroundings() const {
    return target_ == nullptr ? nullptr : target_->surroundings();
  }

 private:
  std::shared_ptr<Target> target_;
  CallOptions options_;
};

// A proxy is a handle on its way; a handle that comes in is a proxy.
template <>
struct Type<Proxy> {
  static std::string Name() { return "object"; }
  static Value Make(const Proxy& proxy) { return Value(proxy.handle()); }
  static bool Read(Value& value, Proxy& out, std::string& fault);
};

namespace object_internal {
// The name under which T's class declares `member`.
template <class T, auto member>
const std::string& NameOfMember() {
  static const std::string name = [] {
    for (const auto& [key, method] : ClassOf<T>()->methods) {
      const auto* found = std::any_cast<decltype(member)>(&method.function);
      if (found != nullptr && *found == member) return key;
    }
    return std::string("(not exposed)");
  }();
  return name;
}

template <class Tuple>
struct CallTyped;
template <class... Args>
struct CallTyped<std::tuple<Args...>> {
  static std::vector<Value> Pack(Args... arguments) {
    return ListOf(std::move(arguments)...);
  }
};
}  // namespace object_internal

// A proxy whose calls the compiler checks against T's members.
//
// Kind:    value. Threads: any.
template <class T>
class TypedProxy {
 public:
  explicit TypedProxy(Proxy proxy) : proxy_(std::move(proxy)) {}

  template <auto member, class... Args>
  auto Call(Args&&... arguments) const {
    using Parts = object_internal::Signature<decltype(member)>;
    using Result =
        object_internal::CallResult<typename object_internal::PlainResult<
            std::decay_t<typename Parts::Result>>::type>;
    const std::string& name = object_internal::NameOfMember<T, member>();
    absl::StatusOr<Value> value = proxy_.CallValues(
        name, object_internal::CallTyped<typename Parts::Arguments>::Pack(
                  std::forward<Args>(arguments)...));
    const SurroundingsScope scope(proxy_.surroundings());
    return Result::Make(std::move(value), name);
  }
  template <auto member, class... Args>
  absl::Status Oneway(Args&&... arguments) const {
    using Parts = object_internal::Signature<decltype(member)>;
    return proxy_.SendValues(
        object_internal::NameOfMember<T, member>(),
        object_internal::CallTyped<typename Parts::Arguments>::Pack(
            std::forward<Args>(arguments)...));
  }
  const Proxy& proxy() const { return proxy_; }

 private:
  Proxy proxy_;
};

}  // namespace hearth

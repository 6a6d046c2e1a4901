// The declaration that makes a class remote, beside the class:
//
//   inline hearth::Class Describe(hearth::As<Counter>) {
//     return hearth::Declare<Counter>("Counter", {.doc = "Counts."})
//         .Constructor<std::int64_t>({"start"})
//         .Method("add", &Counter::Add,
//                 {.parameters = {"amount"}, .doc = "Adds, and tells the
//                 sum."})
//         .Attribute("step", &Counter::step, &Counter::set_step);
//   }
//
// A method returns nothing, a value, absl::Status, absl::StatusOr of a value,
// or Items of values, which are made as the caller takes them. Its first
// parameter may be CallContext&.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "hearth/object/class.h"
#include "hearth/object/convert.h"

namespace hearth {

// What a method returns to give its items one by one: each call of `next` makes
// one, until there is none. Let go of when the caller is gone.
template <class T>
struct Items {
  std::function<absl::StatusOr<std::optional<T>>()> next;
};

namespace object_internal {

template <class T>
struct ResultOf {
  static std::string Name() { return Type<T>::Name(); }
  static absl::StatusOr<Value> Make(T result) {
    return Type<T>::Make(std::move(result));
  }
};
template <>
struct ResultOf<void> {
  static std::string Name() { return ""; }
};
template <>
struct ResultOf<absl::Status> {
  static std::string Name() { return ""; }
  static absl::StatusOr<Value> Make(const absl::Status& status) {
    if (!status.ok()) return status;
    return Value();
  }
};
template <class T>
struct ResultOf<absl::StatusOr<T>> {
  static std::string Name() { return ResultOf<T>::Name(); }
  static absl::StatusOr<Value> Make(absl::StatusOr<T> result) {
    if (!result.ok()) return std::move(result).status();
    return ResultOf<T>::Make(*std::move(result));
  }
};
template <class T>
struct ResultOf<Items<T>> {
  static std::string Name() {
    return absl::StrCat("stream of ", Type<T>::Name());
  }
  static absl::StatusOr<Value> Make(Items<T> items) {
    auto source = std::make_shared<ItemSource>(
        [next =
             std::move(items.next)]() -> absl::StatusOr<std::optional<Value>> {
          absl::StatusOr<std::optional<T>> item = next();
          if (!item.ok()) return std::move(item).status();
          if (!item->has_value()) return std::nullopt;
          return Type<T>::Make(**std::move(item));
        });
    return Value(ValueStream{.source = std::move(source)});
  }
};

// What a caller gets of a method that returns Result.
template <class Result>
struct PlainResult {
  using type = Result;
};
template <>
struct PlainResult<absl::Status> {
  using type = void;
};
template <class T>
struct PlainResult<absl::StatusOr<T>> {
  using type = T;
};

// The parts of a member function's type.
template <class Member>
struct Signature;
template <class R, class Owner, class... Args>
struct Signature<R (Owner::*)(Args...)> {
  using Result = R;
  using Class = Owner;
  using Arguments = std::tuple<std::decay_t<Args>...>;
  static constexpr bool kTakesContext = false;
};
template <class R, class Owner, class... Args>
struct Signature<R (Owner::*)(Args...) const>
    : Signature<R (Owner::*)(Args...)> {};
template <class R, class Owner, class... Args>
struct Signature<R (Owner::*)(CallContext&, Args...)>
    : Signature<R (Owner::*)(Args...)> {
  static constexpr bool kTakesContext = true;
};
template <class R, class Owner, class... Args>
struct Signature<R (Owner::*)(CallContext&, Args...) const>
    : Signature<R (Owner::*)(CallContext&, Args...)> {};

template <class... Args>
std::vector<Parameter> ParametersOf(const std::vector<std::string>& names,
                                    std::tuple<Args...>*) {
  std::vector<Parameter> parameters;
  [[maybe_unused]] const auto add = [&](std::string type) {
    const std::size_t i = parameters.size();
    parameters.push_back({i < names.size() ? names[i] : absl::StrCat("arg", i),
                          std::move(type)});
  };
  (add(Type<Args>::Name()), ...);
  return parameters;
}

template <class... Args>
absl::Status ReadArguments(std::vector<Value>& values,
                           std::tuple<Args...>& out) {
  std::size_t i = 0;
  std::string fault;
  [[maybe_unused]] const auto read = [&]<class T>(T& argument) {
    if (!Type<T>::Read(values[i], argument, fault)) return false;
    ++i;
    return true;
  };
  const bool is_read = std::apply(
      [&](auto&... argument) { return (read(argument) && ...); }, out);
  return is_read ? absl::OkStatus() : ArgumentFault(i, fault);
}

template <class Owner, class Member>
Method::Invoke InvokeOf(Member member) {
  using Parts = Signature<Member>;
  return [member](void* object, CallContext& context,
                  std::vector<Value>& values) -> absl::StatusOr<Value> {
    // Once more for classes of a plugin: it has thread-locals of its own.
    const CallScope scope(&context);
    typename Parts::Arguments arguments;
    if (absl::Status read = ReadArguments(values, arguments); !read.ok()) {
      return read;
    }
    const auto call = [&](auto&... argument) -> typename Parts::Result {
      Owner& owner = *static_cast<Owner*>(object);
      if constexpr (Parts::kTakesContext) {
        return (owner.*member)(context, std::move(argument)...);
      } else {
        return (owner.*member)(std::move(argument)...);
      }
    };
    if constexpr (std::is_void_v<typename Parts::Result>) {
      std::apply(call, arguments);
      return Value();
    } else {
      return ResultOf<std::decay_t<typename Parts::Result>>::Make(
          std::apply(call, arguments));
    }
  };
}

}  // namespace object_internal

// Builds the Class of T. Parameters that are not named are called arg0, arg1.
template <class T>
class Declare {
 public:
  explicit Declare(std::string name, ClassOptions options = {}) {
    class_.name = std::move(name);
    class_.options = std::move(options);
  }

  template <class... Args>
  Declare&& Constructor(const std::vector<std::string>& parameters = {}) && {
    using Tuple = std::tuple<Args...>;
    class_.constructor_parameters =
        object_internal::ParametersOf(parameters, static_cast<Tuple*>(nullptr));
    class_.construct = [](std::vector<Value>& values)
        -> absl::StatusOr<std::shared_ptr<void>> {
      Tuple arguments;
      absl::Status read = object_internal::ReadArguments(values, arguments);
      if (!read.ok()) return read;
      return std::apply(
          [](auto&... argument) -> std::shared_ptr<void> {
            return std::make_shared<T>(std::move(argument)...);
          },
          arguments);
    };
    return std::move(*this);
  }

  template <class Member>
  Declare&& Method(const std::string& name, Member member,
                   Marks marks = {}) && {
    Add(name, member, std::move(marks));
    return std::move(*this);
  }

  // Read by Proxy::Get, and written by Proxy::Set where there is a setter.
  template <class Getter>
  Declare&& Attribute(const std::string& name, Getter getter,
                      std::string doc = {}) && {
    Add(name, getter, {.doc = std::move(doc), .idempotent = true})
        .is_attribute = true;
    return std::move(*this);
  }
  template <class Getter, class Setter>
  requires std::is_member_function_pointer_v<Setter> Declare &&
      Attribute(const std::string& name, Getter getter, Setter setter,
                std::string doc = {}) && {
    Add(name + "=", setter,
        {.parameters = {"value"}, .doc = doc, .idempotent = true})
        .is_attribute = true;
    return std::move(*this).Attribute(name, getter, std::move(doc));
  }

  operator Class() && { return std::move(class_); }  // NOLINT: reads as one

 private:
  template <class Member>
  hearth::Method& Add(const std::string& name, Member member, Marks marks) {
    using Parts = object_internal::Signature<Member>;
    hearth::Method& method = class_.methods[name];
    method.name = name;
    method.parameters = object_internal::ParametersOf(
        marks.parameters, static_cast<typename Parts::Arguments*>(nullptr));
    method.result =
        object_internal::ResultOf<std::decay_t<typename Parts::Result>>::Name();
    method.marks = std::move(marks);
    method.invoke = object_internal::InvokeOf<T>(member);
    method.function = member;
    return method;
  }

  Class class_;
};

// The declared Class of T, made once a program.
template <class T>
const std::shared_ptr<const Class>& ClassOf() {
  static const auto of =
      std::make_shared<const Class>(Class(Describe(As<T>{})));
  return of;
}

template <class T>
Instance InstanceOf(std::shared_ptr<T> object) {
  return {ClassOf<T>(), std::move(object)};
}

}  // namespace hearth

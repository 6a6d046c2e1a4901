#include "hearth/transport/control/grpc_life.h"

#include <grpc/grpc.h>

namespace hearth {

void KeepGrpcForLife() {
  [[maybe_unused]] static const bool kept = [] {
    grpc_init();
    return true;
  }();
}

}  // namespace hearth

// What a certificate of a cluster says, and how its files are called.
#pragma once

namespace hearth {

// The one name that every node's certificate carries and every client asks
// for, whatever address it dialled: what is proven is membership in the
// cluster, not where a node lives. See docs/decisions.
inline constexpr char kClusterName[] = "hearth-cluster";

inline constexpr char kAuthorityFile[] = "ca.pem";
inline constexpr char kAuthorityKeyFile[] = "ca.key";
inline constexpr char kNodeFile[] = "node.pem";
inline constexpr char kNodeKeyFile[] = "node.key";

}  // namespace hearth

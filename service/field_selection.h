#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/message.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sam3 {

// Which fields of a response somebody wants. Unlike protobuf's own field masks
// a path may lead through repeated fields ("results.instances.box"); it stands
// for everything below it. No path at all, and "*", mean everything. Pure; any
// thread once built.
class FieldSelection {
 public:
  // Everything.
  FieldSelection() = default;

  // `type` is the message that the paths belong to. Paths that it does not have
  // are left out and told by unknown_paths().
  FieldSelection(const google::protobuf::FieldMask& mask,
                 const google::protobuf::Descriptor& type);

  // Indexes into the mask's paths.
  const std::vector<int>& unknown_paths() const { return unknown_paths_; }

  // Whether the field, or something below it, is wanted.
  bool Wants(absl::string_view path) const;

  // Clears what is not wanted.
  void Trim(google::protobuf::Message* message) const;

 private:
  // A field that is wanted; as a whole when it has no children.
  struct Node {
    std::map<std::string, Node, std::less<>> children;
  };

  bool Add(absl::string_view path, const google::protobuf::Descriptor& type);
  static void TrimTo(const Node& wanted, google::protobuf::Message* message);

  Node root_;
  std::vector<int> unknown_paths_;
};

}  // namespace sam3

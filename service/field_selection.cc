#include "service/field_selection.h"

#include <functional>

#include "absl/strings/str_split.h"

namespace sam3 {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using google::protobuf::Reflection;

FieldSelection::FieldSelection(const FieldMask& mask, const Descriptor& type) {
  bool everything = false;
  for (int i = 0; i < mask.paths_size(); ++i) {
    if (mask.paths(i) == "*") {
      everything = true;
    } else if (!Add(mask.paths(i), type)) {
      unknown_paths_.push_back(i);
    }
  }
  if (everything) root_.children.clear();
}

bool FieldSelection::Add(absl::string_view path, const Descriptor& type) {
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  const Descriptor* parent = &type;
  for (const std::string& name : names) {
    const FieldDescriptor* field =
        parent == nullptr ? nullptr : parent->FindFieldByName(name);
    if (field == nullptr) return false;
    parent = field->message_type();
  }
  Node* node = &root_;
  bool is_new = false;
  for (const std::string& name : names) {
    // An ancestor that is wanted as a whole includes this path.
    if (!is_new && node != &root_ && node->children.empty()) return true;
    const auto [child, added] = node->children.try_emplace(name);
    is_new = added;
    node = &child->second;
  }
  node->children.clear();
  return true;
}

bool FieldSelection::Wants(absl::string_view path) const {
  const Node* node = &root_;
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    if (node->children.empty()) return true;
    const auto child = node->children.find(std::string(name));
    if (child == node->children.end()) return false;
    node = &child->second;
  }
  return true;
}

void FieldSelection::Trim(Message* message) const {
  if (!root_.children.empty()) TrimTo(root_, message);
}

void FieldSelection::TrimTo(const Node& wanted, Message* message) {
  const Reflection& reflection = *message->GetReflection();
  std::vector<const FieldDescriptor*> present;
  reflection.ListFields(*message, &present);
  for (const FieldDescriptor* field : present) {
    const auto child = wanted.children.find(field->name());
    if (child == wanted.children.end()) {
      reflection.ClearField(message, field);
    } else if (child->second.children.empty()) {
      continue;
    } else if (!field->is_repeated()) {
      TrimTo(child->second, reflection.MutableMessage(message, field));
    } else {
      for (int i = 0; i < reflection.FieldSize(*message, field); ++i) {
        TrimTo(child->second,
               reflection.MutableRepeatedMessage(message, field, i));
      }
    }
  }
}

}  // namespace sam3

#include "service/rpc/wire.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "inference/base/logging.h"
#include "inference/base/status_macros.h"
#include "inference/clip_text.h"
#include "service/grpc_status.h"

namespace sam3 {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Finds the texts that are not UTF-8.
class TextChecker {
 public:
  void Check(const Message& message, const std::string& prefix) {
    const Reflection& reflection = *message.GetReflection();
    std::vector<const FieldDescriptor*> present;
    reflection.ListFields(message, &present);
    for (const FieldDescriptor* field : present) {
      const std::string path = prefix + field->name();
      if (!field->is_repeated()) {
        CheckField(message, *field, path, -1);
        continue;
      }
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        CheckField(message, *field, absl::StrCat(path, "[", i, "]"), i);
      }
    }
  }

  const std::vector<FieldViolation>& violations() const { return violations_; }

 private:
  // `index` is -1 for fields that are not repeated.
  void CheckField(const Message& message, const FieldDescriptor& field,
                  const std::string& path, int index) {
    const Reflection& reflection = *message.GetReflection();
    if (field.type() == FieldDescriptor::TYPE_STRING) {
      const std::string text =
          index < 0 ? reflection.GetString(message, &field)
                    : reflection.GetRepeatedString(message, &field, index);
      if (!IsUtf8(text)) violations_.push_back({path, "is not valid UTF-8"});
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Check(index < 0 ? reflection.GetMessage(message, &field)
                      : reflection.GetRepeatedMessage(message, &field, index),
            path + ".");
    }
  }

  std::vector<FieldViolation> violations_;
};

}  // namespace

absl::Status ParseMessage(grpc::ByteBuffer* bytes, Message* message) {
  bool parsed = false;
  {
    grpc::ProtoBufferReader reader(bytes);
    parsed = reader.status().ok() && message->ParseFromZeroCopyStream(&reader);
  }
  bytes->Clear();
  if (parsed) return absl::OkStatus();
  // Parsing stops at the first bad text, which the message then holds.
  TextChecker texts;
  texts.Check(*message, "");
  if (!texts.violations().empty()) return InvalidRequest(texts.violations());
  return InvalidRequest(
      {{"message", absl::StrCat("is no ", message->GetDescriptor()->full_name(),
                                " on the wire")}});
}

grpc::ByteBuffer SerializeMessage(const Message& message) {
  grpc::ByteBuffer bytes;
  bool own_buffer = false;
  const grpc::Status written =
      grpc::GenericSerialize<grpc::ProtoBufferWriter, Message>(message, &bytes,
                                                               &own_buffer);
  SAM3_CHECK(written.ok());
  return bytes;
}

}  // namespace sam3

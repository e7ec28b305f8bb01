#include "tests/service/message_breaker.h"

#include <iterator>
#include <limits>
#include <memory>

namespace sam3 {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void MessageBreaker::Change(Message* message) {
  for (int i = Below(3); i >= 0; --i) ChangeOne(message);
}

std::string MessageBreaker::Break(const Message& good) {
  const std::unique_ptr<Message> changed(good.New());
  changed->CopyFrom(good);
  Change(changed.get());
  std::string bytes = changed->SerializePartialAsString();
  switch (bytes.empty() ? 9 : Below(8)) {
    case 0:
      bytes.resize(At(bytes));
      break;
    case 1:
      bytes[At(bytes)] = static_cast<char>(Below(256));
      break;
    case 2: {
      const size_t at = At(bytes);
      const auto count = static_cast<size_t>(Below(12));
      bytes.insert(at, count, static_cast<char>(Below(256)));
      break;
    }
    case 3:
      bytes += bytes.substr(At(bytes));
      break;
    default:
      break;
  }
  return bytes;
}

double MessageBreaker::OddNumber() {
  const double numbers[] = {0,
                            -1,
                            1,
                            0.5,
                            1e9,
                            -1e30,
                            1e-30,
                            std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity()};
  return numbers[Below(std::size(numbers))];
}

std::string MessageBreaker::OddText() {
  const std::string texts[] = {"",     "red",       std::string("a\0b", 3),
                               "\xff", "\u4eba",    std::string(3000, 'x'),
                               "../a", "http://a/", "rle,polygon"};
  return texts[Below(std::size(texts))];
}

int64_t MessageBreaker::OddInteger() {
  const int64_t numbers[] = {
      0, 1, -1, 7, 1'000'000'000, std::numeric_limits<int32_t>::min()};
  return numbers[Below(std::size(numbers))];
}

void MessageBreaker::ChangeOne(Message* message) {
  const auto* type = message->GetDescriptor();
  if (type->field_count() == 0) return;
  const FieldDescriptor* field = type->field(Below(type->field_count()));
  if (Below(5) == 0) {
    message->GetReflection()->ClearField(message, field);
  } else if (field->is_repeated()) {
    ChangeRepeated(message, field);
  } else {
    ChangeSingle(message, field);
  }
}

void MessageBreaker::ChangeSingle(Message* message,
                                  const FieldDescriptor* field) {
  const Reflection* reflection = message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ChangeOne(reflection->MutableMessage(message, field));
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->SetString(message, field, OddText());
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection->SetEnumValue(message, field,
                                      static_cast<int>(OddInteger()));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->SetBool(message, field, Below(2) == 0);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection->SetInt32(message, field,
                                  static_cast<int32_t>(OddInteger()));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->SetInt64(message, field, OddInteger());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection->SetFloat(message, field,
                                  static_cast<float>(OddNumber()));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection->SetDouble(message, field, OddNumber());
    default:
      return;
  }
}

void MessageBreaker::ChangeRepeated(Message* message,
                                    const FieldDescriptor* field) {
  const Reflection* reflection = message->GetReflection();
  const int size = reflection->FieldSize(*message, field);
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->AddString(message, field, OddText());
    case FieldDescriptor::CPPTYPE_INT32:
      if (size > 0 && Below(2) == 0) {
        const int at = Below(size);
        return reflection->SetRepeatedInt32(message, field, at,
                                            static_cast<int32_t>(OddInteger()));
      }
      return reflection->AddInt32(message, field,
                                  static_cast<int32_t>(OddInteger()));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->AddInt64(message, field, OddInteger());
    default:
      return;
  }
  if (size > 0 && Below(3) > 0) {
    ChangeOne(reflection->MutableRepeatedMessage(message, field, Below(size)));
    return;
  }
  for (int i = Below(2) == 0 ? 1 : 40; i > 0; --i) {
    Message* added = reflection->AddMessage(message, field);
    if (size > 0) {
      added->CopyFrom(reflection->GetRepeatedMessage(*message, field, 0));
    }
  }
}

}  // namespace sam3

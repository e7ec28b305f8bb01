#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace sam3 {

// Changes messages into such as no client means to send, in the same ways on
// every run. Not thread-safe; never blocks.
class MessageBreaker {
 public:
  explicit MessageBreaker(uint32_t seed) : random_(seed) {}

  // Sets, clears or doubles one to three things in it.
  void Change(google::protobuf::Message* message);

  // A changed copy's bytes, which are then perhaps broken too.
  std::string Break(const google::protobuf::Message& good);

 private:
  int Below(int limit) { return static_cast<int>(random_() % limit); }
  size_t At(const std::string& bytes) {
    return static_cast<size_t>(Below(static_cast<int>(bytes.size())));
  }
  double OddNumber();
  int64_t OddInteger();
  std::string OddText();

  void ChangeOne(google::protobuf::Message* message);
  void ChangeSingle(google::protobuf::Message* message,
                    const google::protobuf::FieldDescriptor* field);
  void ChangeRepeated(google::protobuf::Message* message,
                      const google::protobuf::FieldDescriptor* field);

  std::mt19937 random_;
};

}  // namespace sam3

// Messages that no client means to send: thousands of them for every method,
// each refused for what it is, none a fault of the server's.
#include <gmock/gmock.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <random>

#include "tests/e2e/raw_call.h"
#include "tests/e2e/server_fixture.h"

namespace sam3 {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using grpc::StatusCode;

constexpr int kCasesPerMethod = 500;

// Changes messages; in the same ways every time.
class MessageBreaker {
 public:
  // Sets, clears or doubles something in the message, and then perhaps breaks
  // its bytes.
  std::string Break(const Message& good) {
    const std::unique_ptr<Message> changed(good.New());
    changed->CopyFrom(good);
    for (int i = Below(3); i >= 0; --i) Change(changed.get());
    std::string bytes = changed->SerializePartialAsString();
    switch (bytes.empty() ? 9 : Below(8)) {
      case 0:
        bytes.resize(At(bytes));
        break;
      case 1:
        bytes[At(bytes)] = static_cast<char>(Below(256));
        break;
      case 2:
        bytes.insert(At(bytes), std::string(static_cast<size_t>(Below(12)),
                                            static_cast<char>(Below(256))));
        break;
      case 3:
        bytes += bytes.substr(At(bytes));
        break;
      default:
        break;
    }
    return bytes;
  }

 private:
  int Below(int limit) { return static_cast<int>(random_() % limit); }
  size_t At(const std::string& bytes) {
    return static_cast<size_t>(Below(static_cast<int>(bytes.size())));
  }

  double OddNumber() {
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

  std::string OddText() {
    const std::string texts[] = {"",     "red",       std::string("a\0b", 3),
                                 "\xff", "\u4eba",    std::string(3000, 'x'),
                                 "../a", "http://a/", "rle,polygon"};
    return texts[Below(std::size(texts))];
  }

  int64_t OddInteger() {
    const int64_t numbers[] = {
        0, 1, -1, 7, 1'000'000'000, std::numeric_limits<int32_t>::min()};
    return numbers[Below(std::size(numbers))];
  }

  void Change(Message* message) {
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

  void ChangeSingle(Message* message, const FieldDescriptor* field) {
    const Reflection* reflection = message->GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Change(reflection->MutableMessage(message, field));
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

  void ChangeRepeated(Message* message, const FieldDescriptor* field) {
    const Reflection* reflection = message->GetReflection();
    const int size = reflection->FieldSize(*message, field);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      reflection->AddString(message, field, OddText());
    } else if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return;
    } else if (size > 0 && Below(3) > 0) {
      Change(reflection->MutableRepeatedMessage(message, field, Below(size)));
    } else {
      for (int i = Below(2) == 0 ? 1 : 40; i > 0; --i) {
        Message* added = reflection->AddMessage(message, field);
        if (size > 0) {
          added->CopyFrom(reflection->GetRepeatedMessage(*message, field, 0));
        }
      }
    }
  }

  std::mt19937 random_{20'240'601};
};

class RpcFuzzTest : public ServerFixture {
 protected:
  // One message at a time, each broken in its turn, in calls of `before` and
  // that message.
  void Attack(const std::string& method,
              const std::vector<const Message*>& good) {
    SCOPED_TRACE(method);
    MessageBreaker breaker;
    std::map<StatusCode, int> answered;
    for (int i = 0; i < kCasesPerMethod; ++i) {
      std::vector<std::string> messages;
      for (const Message* message : good) {
        messages.push_back(message->SerializeAsString());
      }
      std::string& broken = messages[i % messages.size()];
      broken = breaker.Break(*good[i % messages.size()]);
      const grpc::Status status = SendBytes(channel_, method, messages);
      ++answered[status.error_code()];
      if (status.ok()) continue;
      ASSERT_THAT(
          status.error_code(),
          testing::AnyOf(
              StatusCode::INVALID_ARGUMENT, StatusCode::NOT_FOUND,
              StatusCode::RESOURCE_EXHAUSTED, StatusCode::PERMISSION_DENIED,
              StatusCode::FAILED_PRECONDITION, StatusCode::UNIMPLEMENTED))
          << status.error_message() << "\n"
          << testing::PrintToString(broken);
      ASSERT_NE(ReasonIn(status), "") << status.error_message();
      ASSERT_NE(status.error_message(), "");
    }
    // The cases are good ones only if many get through and many do not.
    EXPECT_GT(answered[StatusCode::OK], kCasesPerMethod / 20);
    EXPECT_GT(answered[StatusCode::INVALID_ARGUMENT], kCasesPerMethod / 10);
  }

  static v1::SegmentConceptsRequest Concepts() {
    v1::SegmentConceptsRequest request = RequestFor({"red", "blue"});
    request.set_score_threshold(0.4f);
    request.mutable_nms()->set_iou_threshold(0.9f);
    request.mutable_mask_options()->set_format(v1::MaskOptions::FORMAT_POLYGON);
    auto* box = request.mutable_prompts(0)->add_exemplars()->mutable_box();
    box->mutable_xywh()->set_width(9);
    box->mutable_xywh()->set_height(9);
    return request;
  }

  void TearDown() override {
    grpc::ClientContext context;
    v1::SegmentConceptsResponse response;
    EXPECT_TRUE(
        stub_->SegmentConcepts(&context, RequestFor({"red"}), &response).ok());
    EXPECT_EQ(response.results(0).instances_size(), 1);
  }
};

TEST_F(RpcFuzzTest, Concepts) {
  const v1::SegmentConceptsRequest request = Concepts();
  Attack("SegmentConcepts", {&request});
}

TEST_F(RpcFuzzTest, Explanations) {
  v1::ExplainRequest request;
  *request.mutable_request() = Concepts();
  grpc::ClientContext context;
  Attack("Explain", {&request});
}

TEST_F(RpcFuzzTest, Objects) {
  v1::SegmentObjectsRequest request;
  request.mutable_image()->set_content(Picture());
  auto* point = request.add_prompts()->add_points();
  point->set_x(20);
  point->set_y(12);
  auto* box = request.add_prompts()->mutable_box()->mutable_xyxy();
  box->set_x1(30);
  box->set_y1(20);
  request.set_save_logits(true);
  Attack("SegmentObjects", {&request});
}

TEST_F(RpcFuzzTest, Pictures) {
  v1::EmbedImageRequest request;
  request.mutable_image()->set_content(Picture());
  Attack("EmbedImage", {&request});
}

TEST_F(RpcFuzzTest, Uploads) {
  v1::UploadImageRequest first;
  first.set_data(Picture().substr(0, 50));
  v1::UploadImageRequest second;
  second.set_data(Picture().substr(50));
  Attack("UploadImage", {&first, &second});
}

TEST_F(RpcFuzzTest, Streams) {
  v1::SegmentStreamRequest config;
  config.mutable_config()->mutable_pushed_frames();
  config.mutable_config()->add_prompts()->set_text("red");
  v1::SegmentStreamRequest frame;
  frame.mutable_frame()->set_content(Picture());
  v1::SegmentStreamRequest update;
  update.mutable_prompt_update()->add_add()->set_text("blue");
  Attack("SegmentStream", {&config, &frame, &update});
  config.mutable_config()->clear_prompts();
  v1::GivenObject* object = config.mutable_config()->add_objects();
  object->add_points()->set_x(12);
  update.mutable_prompt_update()->clear_add();
  v1::GivenObject* masked = update.mutable_prompt_update()->add_describe();
  masked->mutable_mask()->set_width_px(128);
  masked->mutable_mask()->set_height_px(64);
  masked->mutable_mask()->mutable_rle()->set_counts("PP8");
  *update.mutable_prompt_update()->add_preview() = *object;
  Attack("SegmentStream", {&config, &frame, &update});
}

}  // namespace
}  // namespace sam3

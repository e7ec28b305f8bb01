// The API's descriptor, held to the project's rules: everything is commented,
// names and numbers follow the conventions that clients rely on.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::SourceLocation;

class ProtoStyleTest : public testing::Test {
 protected:
  ProtoStyleTest() {
    google::protobuf::FileDescriptorSet set;
    std::ifstream stream(SAM3_DESCRIPTOR_SET, std::ios::binary);
    EXPECT_TRUE(set.ParseFromIstream(&stream));
    for (const auto& file : set.file()) {
      const FileDescriptor* built = pool_.BuildFile(file);
      if (built != nullptr && absl::StartsWith(file.name(), "sam3/")) {
        files_.push_back(built);
      }
    }
    EXPECT_GE(files_.size(), 7u);
  }

  template <typename T>
  static void ExpectComment(const T* item, const std::string& name) {
    SourceLocation location;
    const bool found =
        item->GetSourceLocation(&location) &&
        !absl::StripAsciiWhitespace(location.leading_comments).empty();
    EXPECT_TRUE(found) << name << " has no comment";
  }

  static std::string Screaming(const std::string& camel) {
    std::string out;
    for (const char c : camel) {
      if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !out.empty()) {
        out += '_';
      }
      out += absl::ascii_toupper(static_cast<unsigned char>(c));
    }
    return out;
  }

  void CheckEnum(const EnumDescriptor* type) {
    ExpectComment(type, type->full_name());
    const std::string prefix = Screaming(type->name()) + "_";
    EXPECT_EQ(type->value(0)->number(), 0) << type->full_name();
    EXPECT_EQ(type->value(0)->name(), prefix + "UNSPECIFIED");
    for (int i = 0; i < type->value_count(); ++i) {
      ExpectComment(type->value(i), type->value(i)->full_name());
      EXPECT_TRUE(absl::StartsWith(type->value(i)->name(), prefix))
          << type->value(i)->full_name();
    }
  }

  void CheckMessage(const Descriptor* message) {
    ExpectComment(message, message->full_name());
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor* field = message->field(i);
      ExpectComment(field, field->full_name());
      EXPECT_EQ(field->name(), absl::AsciiStrToLower(field->name()));
      for (const auto banned :
           {FieldDescriptor::TYPE_UINT32, FieldDescriptor::TYPE_UINT64,
            FieldDescriptor::TYPE_FIXED32, FieldDescriptor::TYPE_FIXED64}) {
        EXPECT_NE(field->type(), banned)
            << field->full_name() << " is unsigned";
      }
    }
    for (int i = 0; i < message->enum_type_count(); ++i) {
      CheckEnum(message->enum_type(i));
    }
    for (int i = 0; i < message->nested_type_count(); ++i) {
      CheckMessage(message->nested_type(i));
    }
  }

  DescriptorPool pool_;
  std::vector<const FileDescriptor*> files_;
};

TEST_F(ProtoStyleTest, PackagesFollowFoldersAndEndInAVersion) {
  for (const FileDescriptor* file : files_) {
    std::string folder = file->name().substr(0, file->name().rfind('/'));
    std::replace(folder.begin(), folder.end(), '/', '.');
    EXPECT_EQ(file->package(), folder) << file->name();
    EXPECT_TRUE(absl::EndsWith(file->package(), ".v1")) << file->name();
  }
}

TEST_F(ProtoStyleTest, EverythingIsCommentedAndWellNamed) {
  for (const FileDescriptor* file : files_) {
    for (int i = 0; i < file->message_type_count(); ++i) {
      CheckMessage(file->message_type(i));
    }
    for (int i = 0; i < file->enum_type_count(); ++i) {
      CheckEnum(file->enum_type(i));
    }
  }
}

TEST_F(ProtoStyleTest, MethodsHaveTheirOwnRequestAndResponse) {
  int methods = 0;
  for (const FileDescriptor* file : files_) {
    for (int i = 0; i < file->service_count(); ++i) {
      ExpectComment(file->service(i), file->service(i)->full_name());
      EXPECT_TRUE(absl::EndsWith(file->service(i)->name(), "Service"));
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        const auto* method = file->service(i)->method(j);
        ExpectComment(method, method->full_name());
        EXPECT_EQ(method->input_type()->name(), method->name() + "Request");
        EXPECT_EQ(method->output_type()->name(), method->name() + "Response");
        ++methods;
      }
    }
  }
  EXPECT_GE(methods, 6);
}

}  // namespace
}  // namespace sam3

// Videos decoded in processes of their own, against the same in this one.
#include "pipeline/media/decoder_zygote.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"
#include "pipeline/source_failure.h"
#include "tests/pipeline/media/live_source_fixture.h"
#include "tests/support/all_pictures.h"
#include "tests/support/byte_mutator.h"
#include "tests/support/eventually.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::SizeIs;

// Processes whose parent is `parent`, those that have ended left out.
std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = ReadText(entry.path() / "stat");
    const size_t facts = stat.rfind(')');
    char state = 0;
    pid_t its_parent = 0;
    if (facts == std::string::npos) continue;
    std::istringstream(stat.substr(facts + 1)) >> state >> its_parent;
    if (its_parent == parent && state != 'Z' && state != 'X') {
      children.push_back(std::stoi(name));
    }
  }
  return children;
}

class DecoderZygoteTest : public testing::Test {
 protected:
  DecoderZygoteTest() {
    auto zygote = DecoderZygote::Start();
    EXPECT_THAT(zygote, IsOk());
    if (zygote.ok()) zygote_ = *std::move(zygote);
  }

  // A clip of 50 pictures.
  std::string Clip(const std::string& name, const std::string& options) {
    EncodeClip(absl::StrCat(options, " ", folder_ / name));
    return folder_ / name;
  }

  static void Push(const std::string& bytes, ByteSource* source) {
    source->Push(bytes);
    source->Close();
  }

  static void ExpectSame(VideoDecoder& confined, VideoDecoder& plain,
                         size_t pictures) {
    EXPECT_EQ(confined.width(), plain.width());
    EXPECT_EQ(confined.height(), plain.height());
    EXPECT_EQ(confined.frame_rate(), plain.frame_rate());
    EXPECT_EQ(confined.frame_count(), plain.frame_count());
    const auto expected = AllPictures(plain);
    const auto seen = AllPictures(confined);
    EXPECT_EQ(confined.damaged_parts(), plain.damaged_parts());
    ASSERT_THAT(expected, SizeIs(pictures));
    ASSERT_THAT(seen, SizeIs(pictures));
    for (size_t i = 0; i < pictures; ++i) {
      EXPECT_EQ(seen[i].start_offset, expected[i].start_offset);
      EXPECT_EQ(seen[i].size_changed, expected[i].size_changed);
      ASSERT_EQ(seen[i].image.width(), expected[i].image.width());
      ASSERT_EQ(seen[i].image.height(), expected[i].image.height());
      EXPECT_EQ(std::memcmp(seen[i].image.pixels(), expected[i].image.pixels(),
                            expected[i].image.size_bytes()),
                0);
    }
  }

  TempFolder folder_;
  HeapAllocator allocator_;
  std::unique_ptr<DecoderZygote> zygote_;
};

TEST_F(DecoderZygoteTest, FilesGiveTheSamePictures) {
  // More than is read at once; the index of the first comes last.
  for (const auto& [name, options] :
       std::vector<std::pair<std::string, std::string>>{
           {"clip.mp4", "-c:v libx264 -bf 2 -qp 5 -vf noise=alls=60:allf=t"},
           {"clip.mkv",
            "-c:v libvpx-vp9 -deadline realtime -crf 4 -b:v 0 -vf "
            "noise=alls=60:allf=t"}}) {
    const std::string path = Clip(name, options);
    const auto confined = zygote_->OpenFile(path, {}, allocator_);
    const auto plain = VideoDecoder::OpenFile(path, {}, allocator_);
    ASSERT_THAT(confined, IsOk());
    ASSERT_THAT(plain, IsOk());
    EXPECT_GT(std::filesystem::file_size(path), 2 * kMaxDecoderTail);
    ExpectSame(**confined, **plain, 50);
  }
}

TEST_F(DecoderZygoteTest, BytesGiveTheSamePicturesDamageIncluded) {
  const std::string whole =
      ReadText(Clip("clip.h264", "-c:v libx264 -g 10 -b:v 2M"));
  std::mt19937 random(1);
  std::string later = whole.substr(whole.size() / 4);
  FlipBits(2e-4, &random, &later);
  const std::string bytes = whole.substr(0, whole.size() / 4) + later;
  ByteSource first(bytes.size() + 1, [] {});
  ByteSource second(bytes.size() + 1, [] {});
  Push(bytes, &first);
  Push(bytes, &second);
  VideoDecoder::Options options;
  options.feed = VideoDecoder::Options::Feed::kLive;
  const auto plain = VideoDecoder::OpenBytes(second, options, allocator_);
  ASSERT_THAT(plain, IsOk());
  ByteSource third(bytes.size() + 1, [] {});
  Push(bytes, &third);
  const auto counted = VideoDecoder::OpenBytes(third, options, allocator_);
  ASSERT_THAT(counted, IsOk());
  const size_t pictures = AllPictures(**counted).size();
  EXPECT_GT((*counted)->damaged_parts(), 0);
  const auto confined = zygote_->OpenBytes(first, options, allocator_);
  ASSERT_THAT(confined, IsOk());
  ExpectSame(**confined, **plain, pictures);
}

TEST_F(DecoderZygoteTest, RefusalsAreTheSame) {
  WriteText(folder_ / "text.mp4", "this is no video\n");
  const auto text = zygote_->OpenFile(folder_ / "text.mp4", {}, allocator_);
  EXPECT_EQ(
      text.status(),
      VideoDecoder::OpenFile(folder_ / "text.mp4", {}, allocator_).status());
  EXPECT_EQ(ReasonOf(text.status()), reason::kMediaUndecodable);
  const auto large =
      zygote_->OpenFile(Clip("clip.mp4", "-c:v libx264"),
                        {.limits = {.max_pixels = 1000}}, allocator_);
  EXPECT_THAT(large,
              StatusIs(absl::StatusCode::kResourceExhausted, "128 x 96"));
  EXPECT_EQ(ReasonOf(large.status()), reason::kMediaTooLarge);
  EXPECT_THAT(zygote_->OpenFile(folder_ / "none.mp4", {}, allocator_),
              StatusIs(absl::StatusCode::kNotFound, "none.mp4"));
}

TEST_F(DecoderZygoteTest, DecodersYieldToTheServer) {
  const auto decoder =
      zygote_->OpenFile(Clip("clip.mp4", "-c:v libx264"), {}, allocator_);
  ASSERT_THAT(decoder, IsOk());
  const std::vector<pid_t> processes = ChildrenOf(zygote_->pid());
  ASSERT_THAT(processes, SizeIs(1));
  EXPECT_GT(::getpriority(PRIO_PROCESS, static_cast<id_t>(processes.front())),
            ::getpriority(PRIO_PROCESS, 0));
}

TEST_F(DecoderZygoteTest, ACrashCostsOneVideoAlone) {
  const std::string path = Clip("clip.mp4", "-c:v libx264");
  auto crashing = zygote_->OpenFile(path, {}, allocator_);
  ASSERT_THAT(crashing, IsOk());
  const std::vector<pid_t> processes = ChildrenOf(zygote_->pid());
  ASSERT_THAT(processes, SizeIs(1));
  auto other = zygote_->OpenFile(path, {}, allocator_);
  ASSERT_THAT(other, IsOk());
  EXPECT_THAT((*crashing)->Next(), IsOk());

  ASSERT_EQ(::kill(processes.front(), SIGSEGV), 0);
  for (int i = 0; i < 2; ++i) {
    const auto lost = (*crashing)->Next();
    EXPECT_THAT(lost,
                StatusIs(absl::StatusCode::kInvalidArgument, "has crashed"));
    EXPECT_EQ(SourceFailureOf(lost.status()), SourceFailure::kCodecUnsupported);
  }
  EXPECT_THAT(AllPictures(**other), SizeIs(50));
  const auto next = zygote_->OpenFile(path, {}, allocator_);
  ASSERT_THAT(next, IsOk());
  EXPECT_THAT(AllPictures(**next), SizeIs(50));
  EXPECT_THAT(zygote_->Health(), IsOk());
}

TEST_F(DecoderZygoteTest, InterruptEndsWhatWaitsForBytes) {
  const std::string bytes = ReadText(Clip("clip.ts", "-c:v libx264 -g 10"));
  ByteSource source(bytes.size() + 1, [] {});
  source.Push(bytes);
  const auto decoder = zygote_->OpenBytes(
      source, {.limits = {}, .feed = VideoDecoder::Options::Feed::kLive},
      allocator_);
  ASSERT_THAT(decoder, IsOk());
  absl::Status end;
  std::thread reader([&] {
    while (end.ok()) end = (*decoder)->Next().status();
  });
  (*decoder)->Interrupt();
  reader.join();
  EXPECT_TRUE(absl::IsCancelled(end)) << end;
}

TEST_F(DecoderZygoteTest, ProcessesEndWithWhatTheyBelongTo) {
  const std::string path = Clip("clip.mp4", "-c:v libx264");
  const pid_t zygote = zygote_->pid();
  std::vector<std::unique_ptr<VideoDecoder>> decoders;
  for (int i = 0; i < 3; ++i) {
    auto decoder = zygote_->OpenFile(path, {}, allocator_);
    ASSERT_THAT(decoder, IsOk());
    decoders.push_back(*std::move(decoder));
  }
  std::vector<pid_t> processes = ChildrenOf(zygote);
  ASSERT_THAT(processes, SizeIs(3));
  // Stopped, it will not see that nobody asks it any more.
  ASSERT_EQ(::kill(processes.back(), SIGSTOP), 0);
  decoders.resize(1);
  EXPECT_TRUE(Eventually([&] { return ChildrenOf(zygote).size() == 1; }));
  processes.resize(1);
  zygote_.reset();
  EXPECT_TRUE(Eventually([&] {
    return !std::filesystem::exists(absl::StrCat("/proc/", processes[0]));
  }));
  EXPECT_FALSE(std::filesystem::exists(absl::StrCat("/proc/", zygote)));
  EXPECT_FALSE(decoders[0]->Next().ok());
}

TEST_F(DecoderZygoteTest, ItsOwnEndIsSeen) {
  EXPECT_THAT(zygote_->Health(), IsOk());
  ASSERT_EQ(::kill(zygote_->pid(), SIGKILL), 0);
  EXPECT_TRUE(Eventually([&] { return !zygote_->Health().ok(); }));
  EXPECT_THAT(
      zygote_->OpenFile(Clip("clip.mp4", "-c:v libx264"), {}, allocator_),
      StatusIs(absl::StatusCode::kUnavailable, "no process"));
}

}  // namespace
}  // namespace sam3

// The place of a reader in playlists that change.
#include "pipeline/media/hls_cursor.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

HlsMediaPlaylist Playlist(int64_t first, int64_t count, bool ended = false) {
  HlsMediaPlaylist playlist;
  playlist.first_sequence = first;
  playlist.target_duration = absl::Seconds(2);
  playlist.ended = ended;
  for (int64_t i = first; i < first + count; ++i) {
    playlist.segments.push_back({{absl::StrCat(i)}, std::nullopt, i});
  }
  return playlist;
}

// All that come now, with "!" before those that begin anew.
std::vector<std::string> Take(HlsCursor& cursor) {
  std::vector<std::string> taken;
  while (const auto step = cursor.Next()) {
    taken.push_back(
        absl::StrCat(step->anew ? "!" : "", step->segment.resource.uri));
  }
  return taken;
}

TEST(HlsCursorTest, ARecordingIsReadFromItsBeginning) {
  HlsCursor cursor;
  EXPECT_TRUE(cursor.Update(Playlist(5, 4, /*ended=*/true)));
  EXPECT_THAT(Take(cursor), ElementsAre("5", "6", "7", "8"));
  EXPECT_TRUE(cursor.ended());
}

TEST(HlsCursorTest, ALivePlaylistIsReadFromItsThirdSegmentFromTheEnd) {
  HlsCursor cursor;
  EXPECT_TRUE(cursor.Update(Playlist(10, 6)));
  EXPECT_THAT(Take(cursor), ElementsAre("13", "14", "15"));
  // The same again, one that is older, and news.
  EXPECT_FALSE(cursor.Update(Playlist(10, 6)));
  EXPECT_THAT(Take(cursor), IsEmpty());
  EXPECT_FALSE(cursor.Update(Playlist(8, 6)));
  EXPECT_THAT(Take(cursor), IsEmpty());
  EXPECT_TRUE(cursor.Update(Playlist(12, 6)));
  EXPECT_THAT(Take(cursor), ElementsAre("16", "17"));
  EXPECT_FALSE(cursor.ended());
  EXPECT_TRUE(cursor.Update(Playlist(12, 6, /*ended=*/true)));
  EXPECT_THAT(Take(cursor), IsEmpty());
  EXPECT_TRUE(cursor.ended());
}

TEST(HlsCursorTest, AShortOrEmptyLivePlaylistIsReadFromItsBeginning) {
  HlsCursor cursor;
  EXPECT_FALSE(cursor.Update(Playlist(0, 0)));
  EXPECT_THAT(Take(cursor), IsEmpty());
  EXPECT_TRUE(cursor.Update(Playlist(0, 2)));
  EXPECT_THAT(Take(cursor), ElementsAre("0", "1"));
  EXPECT_TRUE(cursor.Update(Playlist(0, 3)));
  EXPECT_THAT(Take(cursor), ElementsAre("2"));
}

TEST(HlsCursorTest, AReaderThatFellBehindBeginsAnew) {
  HlsCursor cursor;
  cursor.Update(Playlist(0, 4));
  EXPECT_THAT(Take(cursor), ElementsAre("1", "2", "3"));
  cursor.Update(Playlist(10, 5));
  EXPECT_THAT(Take(cursor), ElementsAre("!12", "13", "14"));
  // What is gone was not needed any more.
  cursor.Update(Playlist(15, 5));
  EXPECT_THAT(Take(cursor), ElementsAre("15", "16", "17", "18", "19"));
}

TEST(HlsCursorTest, AServerThatCountsAnewIsWaitedForInVain) {
  HlsCursor cursor;
  cursor.Update(Playlist(100, 3));
  EXPECT_THAT(Take(cursor), ElementsAre("100", "101", "102"));
  EXPECT_FALSE(cursor.Update(Playlist(0, 3)));
  EXPECT_THAT(Take(cursor), IsEmpty());
}

TEST(HlsCursorTest, MarksMissingSegmentsAndOtherMapsBeginAnew) {
  HlsMediaPlaylist playlist = Playlist(0, 8, /*ended=*/true);
  for (HlsSegment& segment : playlist.segments) {
    segment.map = HlsResource{segment.sequence < 6 ? "a" : "b"};
  }
  // Nothing is before the first.
  playlist.segments[0].discontinuity = true;
  playlist.segments[2].discontinuity = true;
  playlist.segments.erase(playlist.segments.begin() + 4);
  HlsCursor cursor;
  cursor.Update(std::move(playlist));
  EXPECT_THAT(Take(cursor), ElementsAre("0", "1", "!2", "3", "!5", "!6", "7"));
}

}  // namespace
}  // namespace sam3

#include "inference/lru_cache.h"

#include <gtest/gtest.h>

namespace sam3 {
namespace {

std::shared_ptr<const int> Value(int value) {
  return std::make_shared<const int>(value);
}

TEST(LruCacheTest, LeastRecentlyUsedLeavesFirst) {
  LruCache<int> cache(30);
  cache.Insert("a", Value(1), 10);
  cache.Insert("b", Value(2), 10);
  cache.Insert("c", Value(3), 10);
  ASSERT_NE(cache.Find("a"), nullptr);
  cache.Insert("d", Value(4), 10);
  EXPECT_EQ(cache.Find("b"), nullptr);
  EXPECT_EQ(*cache.Find("a"), 1);
  EXPECT_EQ(*cache.Find("d"), 4);
  EXPECT_EQ(cache.size_bytes(), 30u);
  EXPECT_EQ(cache.evictions(), 1);
}

TEST(LruCacheTest, OneLargeEntryPushesOutSeveral) {
  LruCache<int> cache(30);
  cache.Insert("a", Value(1), 10);
  cache.Insert("b", Value(2), 10);
  cache.Insert("big", Value(3), 25);
  EXPECT_EQ(cache.count(), 1u);
  EXPECT_EQ(cache.size_bytes(), 25u);
}

TEST(LruCacheTest, BeyondTheBudgetNothingIsKept) {
  LruCache<int> cache(30);
  cache.Insert("a", Value(1), 10);
  cache.Insert("a", Value(2), 31);
  EXPECT_EQ(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.size_bytes(), 0u);
}

TEST(LruCacheTest, ReplacingAnEntryChargesItOnce) {
  LruCache<int> cache(30);
  cache.Insert("a", Value(1), 10);
  cache.Insert("a", Value(2), 20);
  EXPECT_EQ(*cache.Find("a"), 2);
  EXPECT_EQ(cache.size_bytes(), 20u);
}

TEST(LruCacheTest, HandlesOutliveTheirEntry) {
  LruCache<int> cache(10);
  cache.Insert("a", Value(7), 10);
  const std::shared_ptr<const int> held = cache.Find("a");
  cache.ShrinkTo(0);
  EXPECT_EQ(*held, 7);
  EXPECT_FALSE(cache.Contains("a"));
}

}  // namespace
}  // namespace sam3

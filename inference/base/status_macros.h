#pragma once

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Return-if-error for functions that return absl::Status or absl::StatusOr.
//
//   SAM3_RETURN_IF_ERROR(Validate(request));
//   SAM3_ASSIGN_OR_RETURN(Image image, DecodeImage(bytes));
//
// SAM3_CHECK stops the process; it is for broken invariants of this program
// only, never for what a client, a file, a peer or a device can cause.

#define SAM3_RETURN_IF_ERROR(expr)                              \
  do {                                                          \
    if (absl::Status sam3_status_ = (expr); !sam3_status_.ok()) \
      return sam3_status_;                                      \
  } while (false)

#define SAM3_ASSIGN_OR_RETURN(lhs, expr) \
  SAM3_ASSIGN_OR_RETURN_IMPL_(SAM3_CONCAT_(sam3_statusor_, __LINE__), lhs, expr)

#define SAM3_CHECK(condition)                                         \
  do {                                                                \
    if (!(condition)) {                                               \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, \
                   __LINE__, #condition);                             \
      std::abort();                                                   \
    }                                                                 \
  } while (false)

// `lhs` may be a declaration, which parentheses would break.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define SAM3_CONCAT_INNER_(a, b) a##b
#define SAM3_CONCAT_(a, b) SAM3_CONCAT_INNER_(a, b)
#define SAM3_ASSIGN_OR_RETURN_IMPL_(statusor, lhs, expr)   \
  auto statusor = (expr);                                  \
  if (!statusor.ok()) return std::move(statusor).status(); \
  lhs = *std::move(statusor)
// NOLINTEND(bugprone-macro-parentheses)

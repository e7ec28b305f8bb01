// The distribution's Abseil is not built for the thread sanitizer, which then
// sees no lock at all, nor that the last owner of a status comes after all
// others. Linked into tests of that build, this stands between them and the
// library and tells the sanitizer what each call orders.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

namespace {

template <typename Function>
Function Real(const char* mangled) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, mangled));
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

#define SAM3_MANGLED(rest) "_ZN4absl7debian35Mutex" rest

void Mutex::Lock() {
  static const auto real = Real<void (*)(Mutex*)>(SAM3_MANGLED("4LockEv"));
  real(this);
  __tsan_acquire(this);
}

void Mutex::Unlock() {
  static const auto real = Real<void (*)(Mutex*)>(SAM3_MANGLED("6UnlockEv"));
  __tsan_release(this);
  real(this);
}

void Mutex::Await(const Condition& condition) {
  static const auto real = Real<void (*)(Mutex*, const Condition&)>(
      SAM3_MANGLED("5AwaitERKNS0_9ConditionE"));
  __tsan_release(this);
  real(this, condition);
  __tsan_acquire(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static const auto real = Real<bool (*)(Mutex*, const Condition&, Duration)>(
      SAM3_MANGLED("16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE"));
  __tsan_release(this);
  const bool held = real(this, condition, timeout);
  __tsan_acquire(this);
  return held;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static const auto real = Real<bool (*)(Mutex*, const Condition&, Time)>(
      SAM3_MANGLED("17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE"));
  __tsan_release(this);
  const bool held = real(this, condition, deadline);
  __tsan_acquire(this);
  return held;
}

void Notification::Notify() {
  static const auto real =
      Real<void (*)(Notification*)>("_ZN4absl7debian312Notification6NotifyEv");
  __tsan_release(this);
  real(this);
}

void Notification::WaitForNotification() const {
  static const auto real = Real<void (*)(const Notification*)>(
      "_ZNK4absl7debian312Notification19WaitForNotificationEv");
  real(this);
  __tsan_acquire(const_cast<Notification*>(this));
}

// The count of owners lies at the start of what `rep`, whose lowest bits are
// flags, points to. Everybody who lets go is taken for the last, who deletes.
void Status::UnrefNonInlined(uintptr_t rep) {
  static const auto real =
      Real<void (*)(uintptr_t)>("_ZN4absl7debian36Status15UnrefNonInlinedEm");
  void* const owners = reinterpret_cast<void*>(rep & ~uintptr_t{3});
  __tsan_release(owners);
  __tsan_acquire(owners);
  real(rep);
}

ABSL_NAMESPACE_END
}  // namespace absl

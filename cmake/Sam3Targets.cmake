# sam3_library(NAME SRCS ... DEPS ...)   static library, header-only if no SRCS
# sam3_binary(NAME SRCS ... DEPS ...)
# sam3_test(NAME LABELS ... SRCS ... DEPS ...)   one GoogleTest binary
# sam3_precompile(HEADER TEST ...)               for tests with the same flags
# Files are always listed, never globbed. Includes start at the repository root.
set(SAM3_WARNINGS -Wall -Wextra -Wpedantic)
if(SAM3_WARNINGS_ARE_ERRORS)
  list(APPEND SAM3_WARNINGS -Werror)
endif()

function(sam3_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_SRCS)
    add_library(${name} STATIC ${ARG_SRCS})
    target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}")
    target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
    target_compile_options(${name} PRIVATE ${SAM3_WARNINGS})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE "${CMAKE_SOURCE_DIR}")
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
  endif()
endfunction()

function(sam3_binary name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  target_compile_options(${name} PRIVATE ${SAM3_WARNINGS})
endfunction()

function(sam3_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS;SRCS;DEPS;ENV" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(SAM3_SANITIZER STREQUAL "thread")
    list(APPEND ARG_SRCS "${CMAKE_SOURCE_DIR}/tests/support/tsan_abseil.cc")
    list(APPEND ARG_ENV
      "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan_suppressions.txt")
  endif()
  add_executable(${name} ${ARG_SRCS})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock_main)
  target_compile_options(${name} PRIVATE ${SAM3_WARNINGS})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}"
                       TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${ARG_ENV}")
endfunction()

# Compiles the header, and what it includes, once for all of these tests.
function(sam3_precompile header first)
  target_precompile_headers(${first} PRIVATE "${header}")
  foreach(name ${ARGN})
    target_precompile_headers(${name} REUSE_FROM ${first})
  endforeach()
endfunction()

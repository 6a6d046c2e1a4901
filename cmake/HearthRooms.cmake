# One function a kind of target, so that a room's CMakeLists.txt is three lines.

add_library(hearth_options INTERFACE)
target_include_directories(hearth_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
# -ffp-contract=off: a result has the same bits on every processor (DESIGN: the same bits, always).
target_compile_options(hearth_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  -Wno-missing-field-initializers  # designated initializers name what matters
  -ffp-contract=off)

# Half of what a file takes to compile is its headers. Where every build is from
# nothing, several files are compiled as one: always for tests, and for rooms where
# HEARTH_UNITY says so. SEPARATE are targets whose files don't go together, being
# full of the same short names.
option(HEARTH_UNITY "Compile several files of a room as one: quicker from nothing" OFF)
function(hearth_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
endfunction()

# hearth_room(NAME [SEPARATE] [LINKS lib...]): a static library of every .cc in the current folder.
function(hearth_room name)
  cmake_parse_arguments(ROOM "SEPARATE" "" "LINKS;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(pattern ${ROOM_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX ${pattern})
  endforeach()
  if(sources)
    add_library(${name} STATIC ${sources})
    if(HEARTH_UNITY AND NOT ROOM_SEPARATE)
      hearth_unity(${name})
    endif()
    target_link_libraries(${name} PRIVATE hearth_options PUBLIC ${ROOM_LINKS})
    target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ROOM_LINKS})
    target_include_directories(${name} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  endif()
endfunction()

# hearth_test(NAME [SEPARATE] LABEL label [SHARDS n] LINKS lib...): one test program of every .cc in the current
# folder, a CTest test with that label; with SHARDS, n that run beside each other, each a share of its tests.
function(hearth_test name)
  cmake_parse_arguments(TEST "SEPARATE" "LABEL;SHARDS" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  if(NOT TEST_SEPARATE)
    hearth_unity(${name})
  endif()
  target_link_libraries(${name} PRIVATE hearth_options ${TEST_LINKS}
    GTest::gtest GTest::gmock GTest::gtest_main absl::status absl::statusor)
  if(NOT TEST_SHARDS)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${TEST_LABEL} TIMEOUT 600)
    return()
  endif()
  math(EXPR last "${TEST_SHARDS} - 1")
  foreach(shard RANGE ${last})
    add_test(NAME ${name}_${shard} COMMAND ${name})
    set_tests_properties(${name}_${shard} PROPERTIES LABELS ${TEST_LABEL} TIMEOUT 600
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${TEST_SHARDS};GTEST_SHARD_INDEX=${shard}")
  endforeach()
endfunction()

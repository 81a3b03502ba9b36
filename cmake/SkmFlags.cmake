# SPDX-License-Identifier: Apache-2.0
# Every flag with its reason. `skm_flags` is an interface target that all of our own code links.
include(CheckCCompilerFlag)
add_library(skm_flags INTERFACE)
target_include_directories(skm_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(skm_flags INTERFACE _GNU_SOURCE SKM_VERSION="${PROJECT_VERSION}")

set(wanted
    # what a reader would otherwise have to check by eye
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Warith-conversion
    -Wformat=2 -Wformat-signedness -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes
    -Wmissing-declarations -Wundef -Wvla -Walloca -Wcast-qual -Wcast-align=strict -Wpointer-arith
    -Wwrite-strings -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wnull-dereference
    -Wimplicit-fallthrough -Wswitch-enum -Wredundant-decls -Wnested-externs -Wdate-time
    -Wbidi-chars=any -Wunused-result
    # what turns a memory bug into a stop instead of an exploit
    -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
    -fzero-call-used-regs=used-gpr -fno-strict-overflow -fno-delete-null-pointer-checks
    # one definition of each object
    -fno-common
    # the same bytes wherever the tree is checked out
    "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.")
foreach(flag IN LISTS wanted)
    string(MAKE_C_IDENTIFIER "SKM_HAS${flag}" have)
    check_c_compiler_flag(${flag} ${have})
    if(${have})
        target_compile_options(skm_flags INTERFACE ${flag})
    endif()
endforeach()
if(SKM_WERROR)
    target_compile_options(skm_flags INTERFACE -Werror)
endif()
if(SKM_SANITIZE)
    # Without recovery, so that a finding fails the test that made it.
    target_compile_options(skm_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    target_link_options(skm_flags INTERFACE -fsanitize=address,undefined)
else()
    # Zeroed locals would hide what the sanitizers look for.
    check_c_compiler_flag(-ftrivial-auto-var-init=zero SKM_HAS_AUTO_INIT)
    if(SKM_HAS_AUTO_INIT)
        target_compile_options(skm_flags INTERFACE -ftrivial-auto-var-init=zero)
    endif()
    target_link_options(skm_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs,--as-needed)
endif()
if(SKM_FUZZ)
    # The code under test reports its branches to the fuzzer; with the target alone it would search blindly.
    target_compile_options(skm_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

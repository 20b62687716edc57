/* SPDX-License-Identifier: MIT */
/*
 * What every unit test includes first: cmocka with what it needs, what most
 * tests use of the C library, and how this build and this run differ.
 */
#ifndef TEST_SUPPORT_TEST_H
#define TEST_SUPPORT_TEST_H

#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"

#define KIB ((int64_t)1 << 10)
#define MIB ((int64_t)1 << 20)

/* Sanitizers slow a program down, allocate, and take memory for each page. */
#if defined(__has_feature)
#define TEST_HAS_FEATURE(f) __has_feature(f)
#else
#define TEST_HAS_FEATURE(f) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || TEST_HAS_FEATURE(address_sanitizer)
#define TEST_ASAN 1
#else
#define TEST_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || TEST_HAS_FEATURE(thread_sanitizer)
#define TEST_TSAN 1
#else
#define TEST_TSAN 0
#endif
#if TEST_ASAN || TEST_TSAN
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED 0
#endif

/* NUMATALLY_LONG=1: run for minutes, as make check-long does. */
static inline bool test_is_long(void)
{
	return getenv("NUMATALLY_LONG") != NULL;
}

/* How many of @nr random cases to try: a sanitizer finds no more in all of them. */
static inline int test_cases(int nr)
{
	return TEST_SANITIZED ? nr / 10 : nr;
}

/* An emulated machine: everything takes many times as long. */
static inline bool test_in_guest(void)
{
	return getenv("NUMATALLY_GUEST") != NULL;
}

#endif

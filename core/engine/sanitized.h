/* SPDX-License-Identifier: Apache-2.0 */
/* sanitized.h - whether this is built for a sanitizer, of gcc or clang: 1 or 0 */
#ifndef GOTGT_SANITIZED_H
#define GOTGT_SANITIZED_H

#ifdef __has_feature
#define SANITIZED_FEATURE(feature) __has_feature(feature)
#else
#define SANITIZED_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZED_FEATURE(address_sanitizer)
#define SANITIZED_ADDRESS 1
#else
#define SANITIZED_ADDRESS 0
#endif

#if SANITIZED_ADDRESS || defined(__SANITIZE_THREAD__) || SANITIZED_FEATURE(thread_sanitizer) || SANITIZED_FEATURE(memory_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#endif

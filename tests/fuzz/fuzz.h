/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what every fuzzer here has: libFuzzer's two functions.  A fuzzer is linked with libFuzzer (--enable-fuzz), or
 * with replay.c, which gives it what the corpus holds.
 */
#ifndef GOTGT_TESTS_FUZZ_H
#define GOTGT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes of an input, taken from its front; past its end there are zeroes. */
struct fuzz_in { const uint8_t *at; size_t left; };

static inline void fuzz_take(struct fuzz_in *in, void *to, size_t len)
{
	size_t n = len < in->left ? len : in->left;

	memset(to, 0, len);
	if (n)
		memcpy(to, in->at, n);
	in->at += n;
	in->left -= n;
}

static inline uint8_t fuzz_byte(struct fuzz_in *in)
{
	uint8_t b;

	fuzz_take(in, &b, 1);
	return b;
}

static inline uint16_t fuzz_word(struct fuzz_in *in)
{
	uint8_t b[2];

	fuzz_take(in, b, 2);
	return (uint16_t)(b[0] << 8 | b[1]);
}

#endif

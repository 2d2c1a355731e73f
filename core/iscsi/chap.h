/* SPDX-License-Identifier: Apache-2.0 */
/* chap.h - CHAP, the target's side (RFC 7143 12.1.3, RFC 1994): values and steps, no connection.  [any] */
#ifndef GOTGT_CHAP_H
#define GOTGT_CHAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "iscsi/wire.h"

/* IANA's "PPP Authentication Algorithms" */
enum chap_algorithm { CHAP_MD5 = 5, CHAP_SHA1 = 6, CHAP_SHA256 = 7, CHAP_SHA3_256 = 8 };

enum {
	CHAP_ALGORITHMS = 4,
	CHAP_DIGEST_MAX = 32,
	CHAP_CHALLENGE_LEN = 32,	/* of ours */
	CHAP_CHALLENGE_MIN = 16, CHAP_CHALLENGE_MAX = 1024,	/* of theirs */
	CHAP_SECRET_MIN = 12,		/* RFC 7143 12.1.3: 96 bits, without IPsec */
	CHAP_SECRET_MAX = 255,
};

/* Length of its digests; 0: unknown, or not in this build. */
size_t chap_digest_len(unsigned algorithm);
/* H(id, secret, challenge) into out, CHAP_DIGEST_MAX bytes.  Its length; 0: the library refuses the algorithm. */
size_t chap_digest(unsigned algorithm, uint8_t id, const char *secret, const uint8_t *challenge, size_t challenge_len,
		   uint8_t *out);
/* RFC 7143 6.1 hex-constant or base64-constant.  False: neither, none at all, or longer than max. */
bool chap_decode(const char *text, uint8_t *out, size_t max, size_t *len);
/* The first of order that is in the initiator's list; 0: none.  Bad lists have none. */
unsigned chap_choose(const char *list, const uint8_t *order, unsigned n_order);
/* Equal?  In a time that tells nothing. */
bool chap_same(const uint8_t *a, const uint8_t *b, size_t len);

/* Zero a string and free it. */
void chap_wipe(char *text);

/* Who may log in. */
struct chap_account {
	char *user, *secret;
	char *mutual_user, *mutual_secret;	/* what we answer with, or NULL */
};

/* One text's keys; NULL: not there. */
struct chap_keys { const char *a, *i, *c, *n, *r; };

struct chap {
	enum { CHAP_WANTS_A, CHAP_WANTS_R, CHAP_DONE } step;
	unsigned algorithm;
	uint8_t id, challenge[CHAP_CHALLENGE_LEN];
	char *user;			/* as the initiator says, or NULL */
};

/* LOGIN_SUCCESS, or what to refuse with. */
struct chap_verdict {
	enum login_status status;
	const char *why;
};

/* What a step needs to know. */
struct chap_rules {
	const uint8_t *order;			/* algorithms, the preferred one first */
	unsigned n_order;
	const GPtrArray *accounts;		/* struct chap_account */
	/* Is this challenge one we have given out, on any connection? */
	bool (*is_ours)(const void *arg, const uint8_t *challenge, size_t len);
	const void *arg;
};

/* One text of the initiator; its answer is appended to out. */
struct chap_verdict chap_step(struct chap *c, const struct chap_rules *rules, const struct chap_keys *in, GByteArray *out);
void chap_clear(struct chap *c);

#endif

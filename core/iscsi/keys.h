/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - the text keys of RFC 7143 13 as one table, and the one function that negotiates them. */
#ifndef GOTGT_KEYS_H
#define GOTGT_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

enum { DIGEST_NONE = 0, DIGEST_CRC32C = 1 };
enum { AUTH_NONE = 0, AUTH_CHAP = 1 };

/*
 * Values of the operational keys: what we offer (from the configuration, per target) and what
 * was agreed (per connection).  Bytes, seconds and counts as the RFC's.
 */
struct params {
	uint32_t max_connections;
	uint32_t max_recv_dsl;		/* ours, declared */
	uint32_t peer_max_recv_dsl;	/* the initiator's, declared; 8192 until it says */
	uint32_t max_burst, first_burst;
	uint32_t time2wait, time2retain;
	uint32_t max_outstanding_r2t;
	uint32_t error_recovery_level;
	/* agreed: DIGEST_*; offered: 0 None only, 1 either (initiator's order), 2 CRC32C only */
	uint32_t header_digest, data_digest;
	uint32_t initial_r2t, immediate_data, data_pdu_in_order, data_sequence_in_order;	/* 0 or 1 */
};

/* The defaults we offer (DESIGN.md 4), and the RFC's values before any negotiation. */
extern const struct params params_offered, params_initial;

#define KEYS_TEXT_MAX 65536u	/* bytes of text gathered for one answer */
#define KEYS_PAIRS_MAX 256u	/* pairs in it */
#define KEY_NAME_MAX 63		/* RFC 7143 6.1 */
#define KEY_VALUE_MAX 255
#define KEY_LARGE_VALUE_MAX 8192

enum key_kind {
	KEY_AND, KEY_OR,	/* booleans, by result function */
	KEY_MIN, KEY_MAX,	/* numbers, by result function */
	KEY_LIST,		/* the first value of the initiator's list that we take */
	KEY_DECLARE,		/* a number the initiator declares; not answered */
	KEY_TEXT,		/* text the initiator declares or asks with; kept in negotiation.said[] */
	KEY_REJECT,		/* always answered Reject */
};

enum key_phase { PHASE_SECURITY = 1, PHASE_OPERATIONAL = 2, PHASE_FULL = 4 };

enum key_flag {
	KEY_FIRST = 1,		/* only in the first text of a login */
	KEY_LEADING = 2,	/* only in the login of a session's first connection */
	KEY_NORMAL = 4,		/* Irrelevant in a discovery session */
	KEY_TARGETS = 8,	/* only a target sends it */
	KEY_LARGE = 16,		/* its value is a large-binary-value (RFC 7143 6.1) */
};

/* Texts that are kept. */
enum key_said {
	SAID_NOTHING, SAID_INITIATOR_NAME, SAID_INITIATOR_ALIAS, SAID_TARGET_NAME, SAID_SESSION_TYPE, SAID_SEND_TARGETS,
	SAID_CHAP_A, SAID_CHAP_I, SAID_CHAP_C, SAID_CHAP_N, SAID_CHAP_R,	/* of one text, until auth.c has looked */
	SAID_COUNT
};

#define KEY_NO_OFFSET UINT16_MAX

struct key {
	const char *name;
	uint8_t kind, phases, flags;	/* enum key_kind, key_phase bits, key_flag bits */
	uint8_t said;			/* KEY_TEXT: where to keep it */
	uint16_t offset;		/* in struct params of our offer and of the result, or KEY_NO_OFFSET */
	uint32_t fixed;			/* our offer of a key without a place in struct params */
	uint32_t initial, min, max;	/* numbers and booleans: the value before negotiation, the allowed range */
	const char *const *values;	/* KEY_LIST: what we know, in the order of its numbers, NULL ends */
};

/* In no order; keys_count rows, up to 64. */
extern const struct key keys[];
extern const unsigned keys_count;

/* What an exchange of keys has come to: one login, or one Text exchange. */
struct negotiation {
	const struct params *offer;	/* the target's, or params_offered until it is known */
	struct params agreed;
	enum key_phase phase;
	bool started;			/* past the first text */
	bool leading;			/* the session's first connection */
	bool discovery;
	bool auth_required;		/* AuthMethod=None will not do, CHAP will */
	uint32_t auth_method;		/* agreed, AUTH_* */
	bool auth_failed;		/* an AuthMethod list without one we take */
	uint64_t seen;			/* a bit for each row: a second time is an error */
	char *said[SAID_COUNT];
};

void negotiation_init(struct negotiation *n, const struct params *offer, enum key_phase phase);
void negotiation_clear(struct negotiation *n);

/*
 * Note what the initiator says about itself and the session, before negotiating: sets n->said, and n->discovery
 * from SessionType.  Nothing is answered, errors are left to keys_negotiate().
 */
void keys_introduce(struct negotiation *n, const char *text, size_t len);

/*
 * Answer text, key=value pairs each ended by NUL, by appending to out.  NULL, or why the negotiation fails as a
 * whole (static text): not pairs at all, a key twice, too many.
 */
const char *keys_negotiate(struct negotiation *n, const char *text, size_t len, GByteArray *out);

/* After the last key: what the values say together.  NULL or why the login fails. */
const char *keys_check(struct negotiation *n);

/* Append a pair. */
void keys_append(GByteArray *out, const char *name, const char *value);
void keys_append_number(GByteArray *out, const char *name, uint32_t value);

/* RFC 7143 6.1: decimal-constant or hex-constant. */
bool keys_parse_number(const char *text, uint32_t *value);
/* Why this is no iSCSI name (RFC 7143 4.2.7), or NULL when it is one. */
const char *keys_name_wrong(const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - the table of keys and the loop that negotiates by it. */
#include "config.h"
#include <stddef.h>
#include <string.h>
#include "iscsi/keys.h"

#define DSL_MAX 0xffffffu	/* 24 bits on the wire */

const struct params params_offered = {
	.max_connections = 1, .max_recv_dsl = 262144, .peer_max_recv_dsl = 8192, .max_burst = 1048576,
	.first_burst = 262144, .time2wait = 2, .time2retain = 0, .max_outstanding_r2t = 8, .error_recovery_level = 0,
	.header_digest = 1, .data_digest = 1, .initial_r2t = 0, .immediate_data = 1, .data_pdu_in_order = 1,
	.data_sequence_in_order = 1,
};
const struct params params_initial = {
	.max_connections = 1, .max_recv_dsl = 8192, .peer_max_recv_dsl = 8192, .max_burst = 262144,
	.first_burst = 65536, .time2wait = 2, .time2retain = 20, .max_outstanding_r2t = 1, .error_recovery_level = 0,
	.header_digest = DIGEST_NONE, .data_digest = DIGEST_NONE, .initial_r2t = 1, .immediate_data = 1,
	.data_pdu_in_order = 1, .data_sequence_in_order = 1,
};

static const char *const digests[] = { [DIGEST_NONE] = "None", [DIGEST_CRC32C] = "CRC32C", NULL };
/* A method we can do is a row here. */
static const char *const auth_methods[] = { [AUTH_NONE] = "None", [AUTH_CHAP] = "CHAP", NULL };
static const char *const task_reporting[] = { "RFC3720", NULL };

#define LOGIN (PHASE_SECURITY | PHASE_OPERATIONAL)
#define ANY (LOGIN | PHASE_FULL)
#define SESSION (KEY_LEADING | KEY_NORMAL)
#define AT(field) .offset = offsetof(struct params, field)
#define NOWHERE .offset = KEY_NO_OFFSET

/*
 * Operational keys are taken in the security stage too: RFC 7143 6.3.2 only advises against it.  The
 * defaults of struct params are in params_initial; a test holds the two together.
 */
const struct key keys[] = {
	/* 12 */
	{ .name = "AuthMethod", .kind = KEY_LIST, .phases = PHASE_SECURITY, NOWHERE, .values = auth_methods },
	/* 12.1.3: the steps are auth.c's */
	{ .name = "CHAP_A", .kind = KEY_TEXT, .phases = PHASE_SECURITY, .said = SAID_CHAP_A, NOWHERE },
	{ .name = "CHAP_I", .kind = KEY_TEXT, .phases = PHASE_SECURITY, .said = SAID_CHAP_I, NOWHERE },
	{ .name = "CHAP_C", .kind = KEY_TEXT, .phases = PHASE_SECURITY, .flags = KEY_LARGE, .said = SAID_CHAP_C, NOWHERE },
	{ .name = "CHAP_N", .kind = KEY_TEXT, .phases = PHASE_SECURITY, .said = SAID_CHAP_N, NOWHERE },
	{ .name = "CHAP_R", .kind = KEY_TEXT, .phases = PHASE_SECURITY, .flags = KEY_LARGE, .said = SAID_CHAP_R, NOWHERE },
	/* 13.1 */
	{ .name = "HeaderDigest", .kind = KEY_LIST, .phases = LOGIN, AT(header_digest), .values = digests },
	{ .name = "DataDigest", .kind = KEY_LIST, .phases = LOGIN, AT(data_digest), .values = digests },
	/* 13.2 */
	{ .name = "MaxConnections", .kind = KEY_MIN, .phases = LOGIN, .flags = SESSION,
	  AT(max_connections), .initial = 1, .min = 1, .max = 65535 },
	/* 13.3 to 13.9 */
	{ .name = "SendTargets", .kind = KEY_TEXT, .phases = PHASE_FULL, .said = SAID_SEND_TARGETS, NOWHERE },
	{ .name = "TargetName", .kind = KEY_TEXT, .phases = LOGIN, .flags = KEY_FIRST,
	  .said = SAID_TARGET_NAME, NOWHERE },
	{ .name = "InitiatorName", .kind = KEY_TEXT, .phases = LOGIN, .flags = KEY_FIRST,
	  .said = SAID_INITIATOR_NAME, NOWHERE },
	{ .name = "TargetAlias", .kind = KEY_TEXT, .phases = 0, .flags = KEY_TARGETS, NOWHERE },
	{ .name = "InitiatorAlias", .kind = KEY_TEXT, .phases = ANY, .said = SAID_INITIATOR_ALIAS, NOWHERE },
	{ .name = "TargetAddress", .kind = KEY_TEXT, .phases = 0, .flags = KEY_TARGETS, NOWHERE },
	{ .name = "TargetPortalGroupTag", .kind = KEY_TEXT, .phases = 0, .flags = KEY_TARGETS, NOWHERE },
	/* 13.10, 13.11 */
	{ .name = "InitialR2T", .kind = KEY_OR, .phases = LOGIN, .flags = SESSION,
	  AT(initial_r2t), .initial = 1, .max = 1 },
	{ .name = "ImmediateData", .kind = KEY_AND, .phases = LOGIN, .flags = SESSION,
	  AT(immediate_data), .initial = 1, .max = 1 },
	/* 13.12 */
	{ .name = "MaxRecvDataSegmentLength", .kind = KEY_DECLARE, .phases = ANY,
	  AT(peer_max_recv_dsl), .initial = 8192, .min = 512, .max = DSL_MAX },
	/* 13.13, 13.14 */
	{ .name = "MaxBurstLength", .kind = KEY_MIN, .phases = LOGIN, .flags = SESSION,
	  AT(max_burst), .initial = 262144, .min = 512, .max = DSL_MAX },
	{ .name = "FirstBurstLength", .kind = KEY_MIN, .phases = LOGIN, .flags = SESSION,
	  AT(first_burst), .initial = 65536, .min = 512, .max = DSL_MAX },
	/* 13.15 to 13.20 */
	{ .name = "DefaultTime2Wait", .kind = KEY_MAX, .phases = LOGIN, .flags = KEY_LEADING,
	  AT(time2wait), .initial = 2, .max = 3600 },
	{ .name = "DefaultTime2Retain", .kind = KEY_MIN, .phases = LOGIN, .flags = KEY_LEADING,
	  AT(time2retain), .initial = 20, .max = 3600 },
	{ .name = "MaxOutstandingR2T", .kind = KEY_MIN, .phases = LOGIN, .flags = SESSION,
	  AT(max_outstanding_r2t), .initial = 1, .min = 1, .max = 65535 },
	{ .name = "DataPDUInOrder", .kind = KEY_OR, .phases = LOGIN, .flags = SESSION,
	  AT(data_pdu_in_order), .initial = 1, .max = 1 },
	{ .name = "DataSequenceInOrder", .kind = KEY_OR, .phases = LOGIN, .flags = SESSION,
	  AT(data_sequence_in_order), .initial = 1, .max = 1 },
	{ .name = "ErrorRecoveryLevel", .kind = KEY_MIN, .phases = LOGIN, .flags = KEY_LEADING,
	  AT(error_recovery_level), .initial = 0, .max = 2 },
	/* 13.21 */
	{ .name = "SessionType", .kind = KEY_TEXT, .phases = LOGIN, .flags = KEY_FIRST | KEY_LEADING,
	  .said = SAID_SESSION_TYPE, NOWHERE },
	/* 13.23, 13.24: level 1 is RFC 7143 */
	{ .name = "TaskReporting", .kind = KEY_LIST, .phases = LOGIN, .flags = SESSION,
	  NOWHERE, .values = task_reporting },
	{ .name = "iSCSIProtocolLevel", .kind = KEY_MIN, .phases = LOGIN, .flags = SESSION,
	  NOWHERE, .fixed = 1, .initial = 1, .max = 31 },
	/* 13.25: obsolete, and never NotUnderstood */
	{ .name = "IFMarker", .kind = KEY_AND, .phases = LOGIN, NOWHERE, .fixed = 0, .initial = 0, .max = 1 },
	{ .name = "OFMarker", .kind = KEY_AND, .phases = LOGIN, NOWHERE, .fixed = 0, .initial = 0, .max = 1 },
	{ .name = "IFMarkInt", .kind = KEY_REJECT, .phases = LOGIN, NOWHERE },
	{ .name = "OFMarkInt", .kind = KEY_REJECT, .phases = LOGIN, NOWHERE },
	/* 13.26: of interest to people only */
	{ .name = "X#NodeArchitecture", .kind = KEY_TEXT, .phases = LOGIN, NOWHERE },
};
const unsigned keys_count = G_N_ELEMENTS(keys);
G_STATIC_ASSERT(G_N_ELEMENTS(keys) <= 64);

/* What to say to a pair, once all of them are known. */
struct answer {
	const char *name;	/* in the text that is answered */
	const struct key *key;	/* with a value from what was agreed, or NULL: text */
	const char *text;
};

static const struct key *key_find(const char *name)
{
	for (unsigned i = 0; i < keys_count; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static uint32_t *field(struct params *p, const struct key *k)
{
	return (uint32_t *)(void *)((char *)p + k->offset);
}

static uint32_t our_offer(const struct negotiation *n, const struct key *k)
{
	const void *at;

	if (k->offset == KEY_NO_OFFSET)
		return k->fixed;
	at = (const char *)n->offer + k->offset;
	return *(const uint32_t *)at;
}

bool keys_parse_number(const char *text, uint32_t *value)
{
	bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	const char *digit = hex ? text + 2 : text;
	uint64_t v = 0;

	if (!*digit || (!hex && digit[0] == '0' && digit[1]))
		return false;
	for (; *digit; digit++) {
		int d = hex ? g_ascii_xdigit_value(*digit) : g_ascii_digit_value(*digit);

		if (d < 0)
			return false;
		v = v * (hex ? 16 : 10) + (unsigned)d;
		if (v > UINT32_MAX)
			return false;
	}
	*value = (uint32_t)v;
	return true;
}

const char *keys_name_wrong(const char *name)
{
	size_t len = strlen(name), digits = len > 4 ? strspn(name + 4, "0123456789abcdefABCDEF") : 0;
	bool hex = len == 4 + digits;

	if (len > 223)
		return "longer than 223 characters";
	if (g_str_has_prefix(name, "eui."))
		return hex && digits == 16 ? NULL : "expected eui. and 16 hexadecimal digits";
	if (g_str_has_prefix(name, "naa."))
		return hex && (digits == 16 || digits == 32) ? NULL : "expected naa. and 16 or 32 hexadecimal digits";
	if (!g_str_has_prefix(name, "iqn."))
		return "an iSCSI name starts with iqn., eui. or naa.";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] <= 0x20 || name[i] == 0x7f)
			return "an iSCSI name has neither spaces nor control characters";
	return len > 4 ? NULL : "nothing after iqn.";
}

void keys_append(GByteArray *out, const char *name, const char *value)
{
	g_byte_array_append(out, (const guint8 *)name, (guint)strlen(name));
	g_byte_array_append(out, (const guint8 *)"=", 1);
	g_byte_array_append(out, (const guint8 *)value, (guint)strlen(value) + 1);
}

void keys_append_number(GByteArray *out, const char *name, uint32_t value)
{
	char text[16];

	g_snprintf(text, sizeof text, "%u", value);
	keys_append(out, name, text);
}

void negotiation_init(struct negotiation *n, const struct params *offer, enum key_phase phase)
{
	*n = (struct negotiation){ .offer = offer, .agreed = params_initial, .phase = phase, .leading = true };
	n->agreed.max_recv_dsl = offer->max_recv_dsl;
}

void negotiation_clear(struct negotiation *n)
{
	for (unsigned i = 0; i < SAID_COUNT; i++)
		g_clear_pointer(&n->said[i], g_free);
}

/* Copies the name of the pair at text (NUL after it, if any, at end) and finds its value. */
static const char *split(const char *text, const char *end, char name[KEY_NAME_MAX + 1])
{
	const char *equals = memchr(text, '=', (size_t)(end - text));
	size_t len = equals ? (size_t)(equals - text) : 0;

	if (!len || len > KEY_NAME_MAX)
		return NULL;
	memcpy(name, text, len);
	name[len] = '\0';
	return equals + 1;
}

void keys_introduce(struct negotiation *n, const char *text, size_t len)
{
	const char *end, *nul;

	if (!len)	/* text may be NULL then */
		return;
	for (end = text + len; text < end && (nul = memchr(text, '\0', (size_t)(end - text))); text = nul + 1) {
		char name[KEY_NAME_MAX + 1];
		const char *value = split(text, nul, name);
		const struct key *k = value ? key_find(name) : NULL;

		/* One too long is none of a name there is, nor of a type. */
		if (k && k->flags & KEY_FIRST && !n->said[k->said])
			n->said[k->said] = g_strndup(value, KEY_VALUE_MAX);
	}
	n->discovery = !g_strcmp0(n->said[SAID_SESSION_TYPE], "Discovery");
}

static void answer_boolean(struct negotiation *n, const struct key *k, const char *value, struct answer *a)
{
	uint32_t theirs = !strcmp(value, "Yes"), ours = our_offer(n, k);
	uint32_t result = k->kind == KEY_AND ? theirs & ours : theirs | ours;

	if (!theirs && strcmp(value, "No")) {
		a->text = "Reject";
	} else if (k->offset == KEY_NO_OFFSET) {
		a->text = result ? "Yes" : "No";
	} else {
		*field(&n->agreed, k) = result;
		a->key = k;
	}
}

static void answer_number(struct negotiation *n, const struct key *k, const char *value, struct answer *a)
{
	uint32_t theirs, ours = our_offer(n, k), result;

	if (!keys_parse_number(value, &theirs) || theirs < k->min || theirs > k->max) {
		a->text = "Reject";
		return;
	}
	result = k->kind == KEY_MIN ? MIN(theirs, ours) : MAX(theirs, ours);
	if (k->offset == KEY_NO_OFFSET) {
		a->text = result ? "1" : "0";	/* iSCSIProtocolLevel alone */
	} else {
		*field(&n->agreed, k) = result;
		a->key = k;
	}
}

static void answer_declared(struct negotiation *n, const struct key *k, const char *value, struct answer *a)
{
	uint32_t theirs;

	if (keys_parse_number(value, &theirs) && theirs >= k->min && theirs <= k->max)
		*field(&n->agreed, k) = theirs;
	else
		a->text = "Reject";
}

/* The rows of k->values that our offer takes: 0 the first alone, 1 both, 2 the second alone. */
static bool takes(const struct negotiation *n, const struct key *k, unsigned i)
{
	static const uint8_t masks[] = { 1, 3, 2 };
	uint32_t offer = k->values == auth_methods ? (n->auth_required ? 2 : 0) : our_offer(n, k);

	return masks[MIN(offer, 2)] & 1u << i;
}

static void answer_list(struct negotiation *n, const struct key *k, const char *value, struct answer *a)
{
	g_auto(GStrv) list = g_strsplit(value, ",", -1);

	for (unsigned at = 0; list[at] && !a->text; at++)
		for (unsigned i = 0; k->values[i] && !a->text; i++) {
			if (strcmp(list[at], k->values[i]) || !takes(n, k, i))
				continue;
			a->text = k->values[i];
			if (k->offset != KEY_NO_OFFSET)
				*field(&n->agreed, k) = i;
			else if (k->values == auth_methods)
				n->auth_method = i;
		}
	if (!a->text) {
		a->text = "Reject";
		n->auth_failed |= k->values == auth_methods;
	}
}

static void keep_text(struct negotiation *n, const struct key *k, const char *value, struct answer *a)
{
	if (k->said != SAID_NOTHING && !n->said[k->said])
		n->said[k->said] = g_strdup(value);
}

static void answer_reject(struct negotiation *n, const struct key *k, const char *value, struct answer *a)
{
	a->text = "Reject";
}

static void (*const answers[])(struct negotiation *, const struct key *, const char *, struct answer *) = {
	[KEY_AND] = answer_boolean, [KEY_OR] = answer_boolean, [KEY_MIN] = answer_number, [KEY_MAX] = answer_number,
	[KEY_LIST] = answer_list, [KEY_DECLARE] = answer_declared, [KEY_TEXT] = keep_text, [KEY_REJECT] = answer_reject,
};

static bool is_reply(const char *value)
{
	return !strcmp(value, "NotUnderstood") || !strcmp(value, "Irrelevant") || !strcmp(value, "Reject");
}

/* One pair, already in its parts. */
static const char *answer_pair(struct negotiation *n, const char *name, const char *value, struct answer *a)
{
	const struct key *k = key_find(name);
	bool large = k && (k->kind == KEY_LIST || k->flags & KEY_LARGE);

	/* 6.2: words for answers are nothing to propose; of what both declare they may be an answer to ours. */
	if (is_reply(value) && (!k || (k->kind != KEY_DECLARE && !(k->flags & KEY_TARGETS))))
		return "a key with a word for answers";
	if (!k) {
		a->text = "NotUnderstood";
		return strlen(value) > KEY_LARGE_VALUE_MAX ? "a value is too long" : NULL;
	}
	if (n->seen & UINT64_C(1) << (k - keys))
		return "a key came twice";	/* RFC 7143 6.3: initiator error */
	n->seen |= UINT64_C(1) << (k - keys);
	if (strlen(value) > (large ? KEY_LARGE_VALUE_MAX : KEY_VALUE_MAX))
		return "a value is too long";
	if (k->flags & KEY_FIRST && n->started && n->phase != PHASE_FULL)
		return "a key of the first request came later";
	if (is_reply(value))	/* to what we declared */
		return NULL;
	if (k->said == SAID_SESSION_TYPE && !n->leading)	/* said before, and what it says is the session's */
		return NULL;
	if (!(k->phases & n->phase) || k->flags & KEY_TARGETS || (k->flags & KEY_LEADING && !n->leading)) {
		a->text = "Reject";
		return NULL;
	}
	if (k->flags & KEY_NORMAL && n->discovery) {
		a->text = "Irrelevant";
		return NULL;
	}
	answers[k->kind](n, k, value, a);
	return NULL;
}

static void append_answer(struct negotiation *n, const struct answer *a, GByteArray *out)
{
	if (a->text)
		keys_append(out, a->name, a->text);
	else if (a->key && (a->key->kind == KEY_AND || a->key->kind == KEY_OR))
		keys_append(out, a->name, *field(&n->agreed, a->key) ? "Yes" : "No");
	else if (a->key)
		keys_append_number(out, a->name, *field(&n->agreed, a->key));
}

const char *keys_negotiate(struct negotiation *n, const char *text, size_t len, GByteArray *out)
{
	const char *end = len ? text + len : text;	/* without any it may be NULL */
	g_autofree struct answer *list = NULL;
	g_autofree char *names = NULL;
	unsigned count = 0;

	if (len > KEYS_TEXT_MAX)
		return "too much text";
	list = g_new0(struct answer, KEYS_PAIRS_MAX);
	names = g_malloc(KEYS_PAIRS_MAX * (KEY_NAME_MAX + 1));
	while (text < end) {
		const char *nul = memchr(text, '\0', (size_t)(end - text)), *value, *why;
		char *name = names + count * (KEY_NAME_MAX + 1);

		if (!nul)
			return "text without its NUL";
		if (nul > text) {	/* a stray NUL is harmless */
			if (count == KEYS_PAIRS_MAX)
				return "too many keys";
			value = split(text, nul, name);
			list[count].name = name;
			why = value ? answer_pair(n, name, value, &list[count]) : "text that is not KEY=VALUE";
			if (why)
				return why;
			count++;
		}
		text = nul + 1;
	}
	/* RFC 7143 13.14.  Whatever was asked first, the answers agree with each other. */
	n->agreed.first_burst = MIN(n->agreed.first_burst, n->agreed.max_burst);
	for (unsigned i = 0; i < count; i++)
		append_answer(n, &list[i], out);
	n->started = true;
	return NULL;
}

const char *keys_check(struct negotiation *n)
{
	const struct params *o = n->offer, *a = &n->agreed;

	if ((o->header_digest == 2 && a->header_digest != DIGEST_CRC32C) ||
	    (o->data_digest == 2 && a->data_digest != DIGEST_CRC32C))
		return "it does without digests that are required here";
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-keys.c - text of logins and Text Requests, in up to four rounds (0xff between them), through the table of keys and
 * CHAP.  The first byte: bit 0 the full feature phase, 1 starts with the operational stage, 2 not the leading connection,
 * 3 an account.
 */
#include "config.h"
#include <stdlib.h>
#include <glib.h>
#include "iscsi/auth.h"
#include "iscsi/keys.h"
#include "fuzz.h"

#define ROUND_END 0xff

static struct auth_guard *guard;
static struct auth *accounts;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t order[] = { CHAP_SHA256, CHAP_SHA1, CHAP_MD5 };

	guard = auth_guard_new();
	accounts = auth_new(order, sizeof order);
	auth_add(accounts, "user", "twelve-bytes-1", "disks", "twelve-bytes-2");
	return 0;
}

/* Whatever came: what is agreed is within the table's bounds, and so is a boolean. */
static void check_agreed(const struct negotiation *n)
{
	for (unsigned i = 0; i < keys_count; i++) {
		const struct key *k = &keys[i];
		uint32_t v;

		if (k->offset == KEY_NO_OFFSET || !(n->seen & UINT64_C(1) << i))
			continue;
		memcpy(&v, (const char *)&n->agreed + k->offset, sizeof v);
		if ((k->kind == KEY_MIN || k->kind == KEY_MAX) && (v < k->min || v > k->max))
			abort();
		if ((k->kind == KEY_AND || k->kind == KEY_OR) && v > 1)
			abort();
	}
}

/* Answers are pairs, each ended by NUL. */
static void check_out(const GByteArray *out)
{
	const char *at = (const char *)out->data, *end;

	for (end = out->len ? at + out->len : at; at < end;) {
		const char *nul = memchr(at, 0, (size_t)(end - at));

		if (!nul || !memchr(at, '=', (size_t)(nul - at)))
			abort();
		at = nul + 1;
	}
}

/* False: the login has failed. */
static bool round_(struct negotiation *n, struct auth_login *auth, const char *text, size_t len)
{
	GByteArray *out = g_byte_array_new();
	bool on = !keys_negotiate(n, text, len, out) && !n->auth_failed && !auth_on_text(auth, n, out).why;

	auth_login_tried(auth);
	check_out(out);
	check_agreed(n);
	g_byte_array_unref(out);
	return on;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t mode = fuzz_byte(&in);
	struct params offer = params_offered;
	struct negotiation n;
	struct auth_login *auth;

	offer.max_connections = 8;
	negotiation_init(&n, &offer, mode & 1 ? PHASE_FULL : mode & 2 ? PHASE_OPERATIONAL : PHASE_SECURITY);
	n.leading = !(mode & 4);
	n.auth_required = mode & 8;
	auth = mode & 8 ? auth_login_new(guard, auth_ref(accounts)) : NULL;
	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *end = in.left ? memchr(in.at, ROUND_END, in.left) : NULL;
		size_t len = end ? (size_t)(end - in.at) : in.left;
		g_autofree char *text = g_malloc(len + 1);

		if (len)
			memcpy(text, in.at, len);
		if (!i)
			keys_introduce(&n, text, len);
		if (!round_(&n, auth, text, len) || !end)
			break;
		in.at = end + 1;
		in.left -= len + 1;
	}
	keys_check(&n);
	auth_login_free(auth);
	negotiation_clear(&n);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include "iscsi/auth.h"

#define SECRET "a secret of 96 bits"
#define MUTUAL "another of 96 bits"

#ifdef HAVE_GCRYPT
static const uint8_t order[] = { CHAP_SHA3_256, CHAP_SHA256, CHAP_SHA1, CHAP_MD5 };
#else
static const uint8_t order[] = { CHAP_SHA256, CHAP_SHA1, CHAP_MD5 };
#endif

static char *hex(const uint8_t *bytes, size_t len)
{
	GString *text = g_string_new("0x");

	for (size_t i = 0; i < len; i++)
		g_string_append_printf(text, "%02x", bytes[i]);
	return g_string_free(text, FALSE);
}

/* H(5Ah, SECRET, 00h to 1Fh), by another implementation. */
static void test_digests(void)
{
	static const struct { unsigned algorithm; const char *digest; } rows[] = {
		{ CHAP_MD5, "d7975b4812f425404ded74b09e9c2c89" },
		{ CHAP_SHA1, "0af6e34943abb81f707135f7f691d8b4a357ad2f" },
		{ CHAP_SHA256, "d8f919c8c84c8f6430e5c86a88ba0b4af9e2f26356e44732ebe81264d1179b7f" },
#ifdef HAVE_GCRYPT
		{ CHAP_SHA3_256, "e1c822071d9e868469dc5e90c566f58c0dbf592c31fcfd4d83d0c2ff0e0e03dd" },
#endif
	};
	uint8_t challenge[32], out[CHAP_DIGEST_MAX];

	for (uint8_t i = 0; i < 32; i++)
		challenge[i] = i;
	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		size_t len = chap_digest(rows[n].algorithm, 0x5a, SECRET, challenge, sizeof challenge, out);
		g_autofree char *got = hex(out, len);

		g_assert_cmpuint(len, ==, chap_digest_len(rows[n].algorithm));
		g_assert_cmpstr(got + 2, ==, rows[n].digest);
	}
	g_assert_cmpuint(chap_digest(4, 0, SECRET, challenge, 32, out), ==, 0);
	g_assert_cmpuint(chap_digest(9, 0, SECRET, challenge, 32, out), ==, 0);
}

static void test_decode(void)
{
	static const struct { const char *text, *bytes; } rows[] = {
		{ "0x00ff", "0x00ff" }, { "0X00Ff", "0x00ff" }, { "0xfff", "0x0fff" }, { "0x1", "0x01" },
		{ "0bAP8=", "0x00ff" }, { "0BAP//", "0x00ffff" }, { "0bAA==", "0x00" },
		{ "0x0102030405060708", "0x0102030405060708" },
		{ "0x010203040506070809", NULL }, { "0bAAAAAAAAAAAA", NULL },
		{ "", NULL }, { "0", NULL }, { "0x", NULL }, { "0b", NULL }, { "00ff", NULL }, { "0xfg", NULL }, { "x00", NULL },
		{ "0bAP8", NULL }, { "0bAP8==", NULL }, { "0bA===", NULL }, { "0b====", NULL }, { "0bA=A=", NULL },
		{ "0bAP9=", NULL }, { "0bAP-_", NULL }, { "0b AP8", NULL },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		uint8_t out[8];
		size_t len = 0;
		bool ok = chap_decode(rows[n].text, out, sizeof out, &len);

		g_test_message("%s", rows[n].text);
		g_assert_cmpint(ok, ==, rows[n].bytes != NULL);
		if (ok) {
			g_autofree char *got = hex(out, len);

			g_assert_cmpstr(got, ==, rows[n].bytes);
		}
	}
}

/* 6.1: large values of every length there may be, in both notations and in either case of their letters. */
static void test_lengths(void)
{
	uint8_t bytes[CHAP_CHALLENGE_MAX], out[CHAP_CHALLENGE_MAX];

	for (size_t n = 0; n < sizeof bytes; n++)
		bytes[n] = (uint8_t)(n * 37 + 255);
	for (size_t len = 1; len <= sizeof bytes; len++) {
		g_autofree char *lower = hex(bytes, len), *upper = g_ascii_strup(lower, -1);
		g_autofree char *base64 = g_base64_encode(bytes, len), *with = g_strconcat("0b", base64, NULL);
		const char *const texts[] = { lower, upper, with };

		for (unsigned t = 0; t < G_N_ELEMENTS(texts); t++) {
			size_t got = 0;

			memset(out, 0, sizeof out);
			g_assert_true(chap_decode(texts[t], out, len, &got));
			g_assert_cmpmem(out, got, bytes, len);
			g_assert_false(chap_decode(texts[t], out, len - 1, &got));	/* no room */
		}
	}
}

/* The target's order, not the initiator's. */
static void test_choose(void)
{
	static const struct { const char *list; unsigned chosen; } rows[] = {
		{ "5", 5 }, { "5,6,7", 7 }, { "7,5", 7 }, { "6,5", 6 }, { "0x5", 5 }, { "99,5", 5 },
		{ "", 0 }, { "4", 0 }, { "9", 0 }, { "md5", 0 }, { "05", 0 }, { "5 ", 0 }, { "4294967301", 0 },
	};
	static const uint8_t fips[] = { CHAP_SHA256 };

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		g_assert_cmpuint(chap_choose(rows[n].list, order, G_N_ELEMENTS(order)), ==, rows[n].chosen);
#ifdef HAVE_GCRYPT
	g_assert_cmpuint(chap_choose("5,6,7,8", order, G_N_ELEMENTS(order)), ==, 8);
#endif
	g_assert_cmpuint(chap_choose("5,6", fips, 1), ==, 0);
	g_assert_cmpuint(chap_choose("5,6,7", fips, 1), ==, 7);
}

static void test_same(void)
{
	g_assert_true(chap_same((const uint8_t *)"abcd", (const uint8_t *)"abcd", 4));
	g_assert_false(chap_same((const uint8_t *)"abcd", (const uint8_t *)"abce", 4));
	g_assert_false(chap_same((const uint8_t *)"bbcd", (const uint8_t *)"abcd", 4));
}

/* ---- the steps ---- */

static bool given_out;

static bool is_ours(const void *arg, const uint8_t *challenge, size_t len)
{
	return given_out;
}

struct fixture {
	struct chap_account account;
	GPtrArray *accounts;
	struct chap_rules rules;
	struct chap chap;
	GByteArray *out;
};

static void begin(struct fixture *f, unsigned algorithm)
{
	g_autofree char *a = g_strdup_printf("%u", algorithm);
	const struct chap_keys in = { .a = a };

	*f = (struct fixture){ .account = { (char *)"joe", (char *)SECRET, (char *)"disk", (char *)MUTUAL } };
	f->accounts = g_ptr_array_new();
	g_ptr_array_add(f->accounts, &f->account);
	f->rules = (struct chap_rules){ order, G_N_ELEMENTS(order), f->accounts, is_ours, NULL };
	f->out = g_byte_array_new();
	given_out = false;
	g_assert_cmphex(chap_step(&f->chap, &f->rules, &in, f->out).status, ==, LOGIN_SUCCESS);
	g_byte_array_set_size(f->out, 0);
}

static void end(struct fixture *f)
{
	chap_clear(&f->chap);
	g_ptr_array_unref(f->accounts);
	g_byte_array_unref(f->out);
}

static char *response(const struct fixture *f, const char *secret)
{
	uint8_t digest[CHAP_DIGEST_MAX];

	return hex(digest, chap_digest(f->chap.algorithm, f->chap.id, secret, f->chap.challenge, CHAP_CHALLENGE_LEN, digest));
}

static void test_both_ways(void)
{
	for (unsigned n = 0; n < G_N_ELEMENTS(order); n++) {
		struct fixture f;
		uint8_t challenge[16] = "0123456789abcdef", digest[CHAP_DIGEST_MAX];
		g_autofree char *r = NULL, *want = NULL, *text = NULL;
		struct chap_keys in = { .n = "joe", .i = "255", .c = "0x30313233343536373839616263646566" };

		begin(&f, order[n]);
		in.r = r = response(&f, SECRET);
		g_assert_cmphex(chap_step(&f.chap, &f.rules, &in, f.out).status, ==, LOGIN_SUCCESS);
		g_assert_cmpint(f.chap.step, ==, CHAP_DONE);
		text = hex(digest, chap_digest(order[n], 255, MUTUAL, challenge, sizeof challenge, digest));
		want = g_strdup_printf("CHAP_N=disk%cCHAP_R=%s", 1, text);
		for (guint i = 0; i + 1 < f.out->len; i++)
			if (!f.out->data[i])
				f.out->data[i] = 1;
		g_assert_cmpstr((char *)f.out->data, ==, want);
		end(&f);
	}
}

static void test_refused(void)
{
	static const struct { struct chap_keys in; const char *secret; enum login_status status; bool given_out; } rows[] = {
		{ { .n = "joe" }, SECRET, LOGIN_SUCCESS, false },
		{ { .n = "joe" }, MUTUAL, LOGIN_AUTH_FAILURE, false },
		{ { .n = "jim" }, SECRET, LOGIN_AUTH_FAILURE, false },
		{ { .n = NULL }, SECRET, LOGIN_MISSING_PARAMETER, false },
		{ { .n = "joe" }, NULL, LOGIN_MISSING_PARAMETER, false },
		{ { .n = "joe", .r = "0x00" }, NULL, LOGIN_INITIATOR_ERROR, false },
		{ { .n = "joe", .r = "joe" }, NULL, LOGIN_INITIATOR_ERROR, false },
		{ { .n = "joe", .a = "5" }, SECRET, LOGIN_INITIATOR_ERROR, false },
		{ { .n = "joe", .i = "1" }, SECRET, LOGIN_MISSING_PARAMETER, false },
		{ { .n = "joe", .c = "0x30313233343536373839616263646566" }, SECRET, LOGIN_MISSING_PARAMETER, false },
		{ { .n = "joe", .i = "256", .c = "0x30313233343536373839616263646566" }, SECRET, LOGIN_INITIATOR_ERROR, false },
		{ { .n = "joe", .i = "1", .c = "0x303132333435363738396162636465" }, SECRET, LOGIN_INITIATOR_ERROR, false },
		{ { .n = "joe", .i = "0xff", .c = "0b//////////////////////" }, SECRET, LOGIN_INITIATOR_ERROR, false },
		{ { .n = "joe", .i = "0xff", .c = "0bAAAAAAAAAAAAAAAAAAAAAA==" }, SECRET, LOGIN_SUCCESS, false },
		{ { .n = "joe", .i = "1", .c = "0x30313233343536373839616263646566" }, SECRET, LOGIN_AUTH_FAILURE, true },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		g_autofree char *r = NULL;
		struct chap_keys in = rows[n].in;
		struct fixture f;

		g_test_message("row %u", n);
		begin(&f, CHAP_SHA256);
		given_out = rows[n].given_out;
		if (rows[n].secret)
			in.r = r = response(&f, rows[n].secret);
		g_assert_cmphex(chap_step(&f.chap, &f.rules, &in, f.out).status, ==, rows[n].status);
		g_assert_cmpint(f.chap.step == CHAP_DONE, ==, rows[n].status == LOGIN_SUCCESS);
		if (f.chap.step == CHAP_DONE)	/* nothing comes after it */
			g_assert_cmphex(chap_step(&f.chap, &f.rules, &in, f.out).status, ==, LOGIN_INITIATOR_ERROR);
		end(&f);
	}
}

/* RFC 7143 9.2.1 */
static void test_reflection(void)
{
	struct fixture f;
	g_autofree char *r = NULL, *c = NULL;
	struct chap_keys in = { .n = "joe", .i = "1" };

	begin(&f, CHAP_SHA256);
	in.r = r = response(&f, SECRET);
	in.c = c = hex(f.chap.challenge, CHAP_CHALLENGE_LEN);
	g_assert_cmphex(chap_step(&f.chap, &f.rules, &in, f.out).status, ==, LOGIN_AUTH_FAILURE);
	g_assert_cmpuint(f.out->len, ==, 0);
	end(&f);
}

static void test_no_mutual_secret(void)
{
	struct fixture f;
	g_autofree char *r = NULL;
	struct chap_keys in = { .n = "joe", .i = "1", .c = "0x30313233343536373839616263646566" };

	begin(&f, CHAP_SHA256);
	f.account.mutual_secret = NULL;
	in.r = r = response(&f, SECRET);
	g_assert_cmphex(chap_step(&f.chap, &f.rules, &in, f.out).status, ==, LOGIN_AUTH_FAILURE);
	end(&f);
}

static void test_fresh(void)
{
	struct fixture f, g;

	begin(&f, CHAP_SHA256);
	begin(&g, CHAP_SHA256);
	g_assert_cmpint(memcmp(f.chap.challenge, g.chap.challenge, CHAP_CHALLENGE_LEN), !=, 0);
	end(&f);
	end(&g);
}

/* ---- the brake ---- */

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&s;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&s;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		s.ss_family = AF_INET;
	} else {
		g_assert_cmpint(inet_pton(AF_INET6, text, &in6->sin6_addr), ==, 1);
		s.ss_family = AF_INET6;
	}
	return s;
}

static void test_brake(void)
{
	struct auth_guard *g = auth_guard_new();
	struct sockaddr_storage v4 = address("192.0.2.1"), other = address("192.0.2.2"), mapped = address("::ffff:192.0.2.1");
	struct sockaddr_storage v6 = address("2001:db8:0:1::1"), near = address("2001:db8:0:1::ffff"),
		far = address("2001:db8:0:2::1"), local = { .ss_family = AF_UNIX };

	g_assert_cmpuint(auth_delay_ms(g, &v4, 0), ==, 0);
	auth_failed(g, &v4, 0);
	g_assert_cmpuint(auth_delay_ms(g, &v4, 1), ==, 250);
	g_assert_cmpuint(auth_delay_ms(g, &mapped, 1), ==, 250);
	auth_failed(g, &v4, 1);
	g_assert_cmpuint(auth_delay_ms(g, &v4, 2), ==, 500);
	for (unsigned n = 0; n < 40; n++)
		auth_failed(g, &v4, 2);
	g_assert_cmpuint(auth_delay_ms(g, &v4, 3), ==, AUTH_DELAY_MAX_MS);
	g_assert_cmpuint(auth_delay_ms(g, &other, 3), ==, 0);
	auth_failed(g, &v6, 3);
	g_assert_cmpuint(auth_delay_ms(g, &near, 4), ==, 250);
	g_assert_cmpuint(auth_delay_ms(g, &far, 4), ==, 0);
	auth_failed(g, &local, 4);
	g_assert_cmpuint(auth_delay_ms(g, &local, 4), ==, 0);
	auth_succeeded(g, &v4);
	g_assert_cmpuint(auth_delay_ms(g, &v4, 5), ==, 0);
	g_assert_cmpuint(auth_delay_ms(g, &v6, 3 + AUTH_FORGET_MS), ==, 0);

	/* The table is bounded: who has been quiet for longest is forgotten. */
	auth_failed(g, &v4, 10);
	for (uint32_t n = 0; n < AUTH_ADDRESSES_MAX; n++) {
		struct sockaddr_storage a = address("10.0.0.0");

		((struct sockaddr_in *)(void *)&a)->sin_addr.s_addr = htonl(0x0a000000 + n);
		auth_failed(g, &a, 11 + n);
	}
	g_assert_cmpuint(auth_delay_ms(g, &v4, 5000), ==, 0);
	auth_guard_free(g);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chap/digests", test_digests);
	g_test_add_func("/chap/decode", test_decode);
	g_test_add_func("/chap/rfc7143-6.1-lengths", test_lengths);
	g_test_add_func("/chap/choose", test_choose);
	g_test_add_func("/chap/same", test_same);
	g_test_add_func("/chap/both-ways", test_both_ways);
	g_test_add_func("/chap/refused", test_refused);
	g_test_add_func("/chap/reflection", test_reflection);
	g_test_add_func("/chap/no-mutual-secret", test_no_mutual_secret);
	g_test_add_func("/chap/fresh", test_fresh);
	g_test_add_func("/chap/brake", test_brake);
	return g_test_run();
}

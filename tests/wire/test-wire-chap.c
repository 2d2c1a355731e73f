/* SPDX-License-Identifier: Apache-2.0 */
/* CHAP on the wire; the names are RFC 7143's sections. */
#include "config.h"
#include "engine/log.h"
#include "ini.h"
#include "iscsi/auth.h"

#define NAMES "InitiatorName=" HOST ";TargetName=" DISK ";"
#define FIND "InitiatorName=" HOST ";SessionType=Discovery;"
#define CHAP "AuthMethod=CHAP;"
#define SECRET "a secret of 96 bits"
#define MUTUAL "another of 96 bits"
#define THEIR_CHALLENGE "0x30313233343536373839616263646566"

static const uint8_t all[] = {
#ifdef HAVE_GCRYPT
	CHAP_SHA3_256,
#endif
	CHAP_SHA256, CHAP_SHA1, CHAP_MD5,
};

static struct auth *accounts(const uint8_t *order, unsigned n)
{
	struct auth *a = auth_new(order, n);

	auth_add(a, "joe", SECRET, NULL, NULL);
	auth_add(a, "two", SECRET, "disk", MUTUAL);
	return a;
}

static void protect(void)
{
	node_set_auth(server->node, server->target, accounts(all, G_N_ELEMENTS(all)));
}

static void open_up(void)
{
	node_set_auth(server->node, server->target, NULL);
	node_set_auth(server->node, NULL, NULL);
}

static char *value(struct ini *i, const char *key)
{
	g_autofree char *text = ini_text(i), *with = g_strconcat(key, "=", NULL);
	g_auto(GStrv) pairs = g_strsplit(text, ";", -1);

	for (char **p = pairs; *p; p++)
		if (g_str_has_prefix(*p, with))
			return g_strdup(*p + strlen(with));
	return NULL;
}

static char *hex(const uint8_t *bytes, size_t len)
{
	GString *text = g_string_new("0x");

	for (size_t at = 0; at < len; at++)
		g_string_append_printf(text, "%02x", bytes[at]);
	return g_string_free(text, FALSE);
}

/* The first two rounds; the response to the challenge, in base64 when it is odd. */
static char *to_challenge(struct ini *i, const char *names, unsigned algorithm, const char *secret)
{
	g_autofree char *first = g_strconcat(names, CHAP, NULL), *a = g_strdup_printf("CHAP_A=%u;", algorithm);
	g_autofree char *got_a = NULL, *got_i = NULL, *got_c = NULL, *method = NULL;
	uint8_t challenge[CHAP_CHALLENGE_MAX], digest[CHAP_DIGEST_MAX];
	uint32_t id;
	size_t len;

	ini_login_pdu(i, 0x00, first);
	EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
	method = value(i, "AuthMethod");
	g_assert_cmpstr(method, ==, "CHAP");
	ini_login_pdu(i, SEC_TO_FULL, a);	/* too soon: T is not granted */
	EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
	got_a = value(i, "CHAP_A");
	got_i = value(i, "CHAP_I");
	got_c = value(i, "CHAP_C");
	g_assert_cmpuint((unsigned)g_ascii_strtoull(got_a, NULL, 10), ==, algorithm);
	g_assert_true(keys_parse_number(got_i, &id) && id < 256);
	g_assert_true(chap_decode(got_c, challenge, sizeof challenge, &len));
	g_assert_cmpuint(len, ==, CHAP_CHALLENGE_LEN);
	len = chap_digest(algorithm, (uint8_t)id, secret, challenge, len, digest);
	if (algorithm & 1) {
		g_autofree char *base64 = g_base64_encode(digest, len);

		return g_strconcat("0b", base64, NULL);
	}
	return hex(digest, len);
}

static char *last(const char *user, const char *response, const char *more)
{
	return g_strdup_printf("CHAP_N=%s;CHAP_R=%s;%s", user, response, more);
}

static void test_one_way(void)
{
	protect();
	for (unsigned n = 0; n < G_N_ELEMENTS(all); n++) {
		struct ini *i = ini_new(server, 1);
		g_autofree char *r = to_challenge(i, NAMES, all[n], SECRET), *text = last("joe", r, "");

		ini_login_pdu(i, SEC_TO_FULL, text);
		EXPECT_LOGIN(i, SEC_TO_FULL, LOGIN_SUCCESS);
		ini_free(i);
	}
	open_up();
}

static void test_mutual(void)
{
	protect();
	for (unsigned n = 0; n < G_N_ELEMENTS(all); n++) {
		struct ini *i = ini_new(server, 1);
		uint8_t digest[CHAP_DIGEST_MAX];
		size_t len = chap_digest(all[n], 7, MUTUAL, (const uint8_t *)"0123456789abcdef", 16, digest);
		g_autofree char *r = to_challenge(i, NAMES, all[n], SECRET), *want = hex(digest, len), *got = NULL, *user = NULL;
		g_autofree char *text = last("two", r, "CHAP_I=0x7;CHAP_C=" THEIR_CHALLENGE ";");

		ini_login_pdu(i, SEC_TO_OP, text);
		EXPECT_LOGIN(i, SEC_TO_OP, LOGIN_SUCCESS);
		got = value(i, "CHAP_R");
		user = value(i, "CHAP_N");
		g_assert_cmpstr(got, ==, want);
		g_assert_cmpstr(user, ==, "disk");
		ini_login_pdu(i, OP_TO_FULL, "");
		EXPECT_LOGIN(i, OP_TO_FULL, LOGIN_SUCCESS);
		ini_free(i);
	}
	open_up();
}

static void test_discovery(void)
{
	struct ini *i = ini_new(server, 1);
	g_autofree char *r = NULL, *text = NULL;

	node_set_auth(server->node, NULL, accounts(all, G_N_ELEMENTS(all)));
	ini_login_pdu(i, OP_TO_FULL, FIND);
	EXPECT_REFUSED(i, LOGIN_AUTH_FAILURE);
	ini_free(i);
	i = ini_new(server, 1);
	r = to_challenge(i, FIND, CHAP_MD5, SECRET);
	text = last("joe", r, "");
	ini_login_pdu(i, SEC_TO_FULL, text);
	EXPECT_LOGIN(i, SEC_TO_FULL, LOGIN_SUCCESS);
	ini_free(i);
	open_up();
}

/* What the first request may not be where CHAP is asked for. */
static void test_first_request(void)
{
	static const struct { uint8_t flags; const char *text; enum login_status status; } rows[] = {
		{ OP_TO_FULL, NAMES, LOGIN_AUTH_FAILURE },
		{ 0x04, NAMES, LOGIN_AUTH_FAILURE },
		{ SEC_TO_FULL, NAMES, LOGIN_AUTH_FAILURE },
		{ SEC_TO_OP, NAMES, LOGIN_AUTH_FAILURE },
		{ 0x00, NAMES "AuthMethod=None;", LOGIN_AUTH_FAILURE },
		{ SEC_TO_FULL, NAMES "AuthMethod=None;", LOGIN_AUTH_FAILURE },
		{ 0x00, NAMES "AuthMethod=KRB5,SRP;", LOGIN_AUTH_FAILURE },
		{ 0x00, NAMES CHAP CHAP, LOGIN_INITIATOR_ERROR },
		{ 0x00, NAMES CHAP "CHAP_A=5;", LOGIN_INITIATOR_ERROR },
		{ 0x00, NAMES "CHAP_A=5;", LOGIN_INITIATOR_ERROR },
	};

	protect();
	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		struct ini *i = ini_new(server, 1);

		g_test_message("%02x %s", rows[n].flags, rows[n].text);
		ini_login_pdu(i, rows[n].flags, rows[n].text);
		EXPECT_REFUSED(i, rows[n].status);
		ini_free(i);
	}
	open_up();
}

/* The initiator's list: CHAP is taken wherever it is, and nothing else. */
static void test_method_list(void)
{
	struct ini *i = ini_new(server, 1);
	g_autofree char *method = NULL;

	protect();
	ini_login_pdu(i, SEC_TO_FULL, NAMES "AuthMethod=None,KRB5,CHAP;");
	EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
	method = value(i, "AuthMethod");
	g_assert_cmpstr(method, ==, "CHAP");
	ini_free(i);
	open_up();
}

static void test_second_request(void)
{
	static const struct { const char *text; enum login_status status; } rows[] = {
		{ "", LOGIN_MISSING_PARAMETER }, { "HeaderDigest=None;", LOGIN_MISSING_PARAMETER },
		{ "CHAP_A=4,9;", LOGIN_AUTH_FAILURE }, { "CHAP_A=;", LOGIN_AUTH_FAILURE },
		{ "CHAP_A=5;CHAP_A=5;", LOGIN_INITIATOR_ERROR }, { "CHAP_A=5;CHAP_I=1;", LOGIN_INITIATOR_ERROR },
		{ "CHAP_N=joe;CHAP_R=0x00;", LOGIN_INITIATOR_ERROR }, { CHAP "CHAP_A=5;", LOGIN_INITIATOR_ERROR },
	};

	protect();
	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		struct ini *i = ini_new(server, 1);

		g_test_message("%s", rows[n].text);
		ini_login_pdu(i, 0x00, NAMES CHAP);
		EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
		ini_login_pdu(i, 0x00, rows[n].text);
		EXPECT_REFUSED(i, rows[n].status);
		ini_free(i);
	}
	open_up();
}

static void test_last_request(void)
{
	static const struct { const char *user, *secret, *more; enum login_status status; } rows[] = {
		{ "joe", MUTUAL, "", LOGIN_AUTH_FAILURE }, { "jim", SECRET, "", LOGIN_AUTH_FAILURE },
		{ "joe", SECRET, "CHAP_A=5;", LOGIN_INITIATOR_ERROR }, { "joe", SECRET, "CHAP_N=joe;", LOGIN_INITIATOR_ERROR },
		{ "joe", SECRET, "CHAP_I=1;CHAP_C=" THEIR_CHALLENGE ";", LOGIN_AUTH_FAILURE },
		{ "two", SECRET, "CHAP_I=1;", LOGIN_MISSING_PARAMETER },
		{ "two", SECRET, "CHAP_C=" THEIR_CHALLENGE ";", LOGIN_MISSING_PARAMETER },
		{ "two", SECRET, "CHAP_I=300;CHAP_C=" THEIR_CHALLENGE ";", LOGIN_INITIATOR_ERROR },
		{ "two", SECRET, "CHAP_I=1;CHAP_C=0x00;", LOGIN_INITIATOR_ERROR },
	};

	protect();
	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		struct ini *i = ini_new(server, 1);
		g_autofree char *r = to_challenge(i, NAMES, CHAP_SHA256, rows[n].secret);
		g_autofree char *text = last(rows[n].user, r, rows[n].more);

		g_test_message("%s %s", rows[n].user, rows[n].more);
		ini_login_pdu(i, SEC_TO_FULL, text);
		EXPECT_REFUSED(i, rows[n].status);
		ini_free(i);
	}
	open_up();
}

/* Our challenge comes back, on its connection or on another that is logging in. */
static void test_reflection(void)
{
	protect();
	for (unsigned other = 0; other < 2; other++) {
		struct ini *i = ini_new(server, 1), *j = ini_new(server, 2);
		g_autofree char *r1 = to_challenge(j, NAMES, CHAP_SHA256, SECRET), *r = to_challenge(i, NAMES, CHAP_SHA256, SECRET);
		g_autofree char *c = value(other ? j : i, "CHAP_C"), *more = g_strdup_printf("CHAP_I=1;CHAP_C=%s;", c);
		g_autofree char *text = last("two", r, more);

		g_assert_cmpstr(r, !=, r1);
		ini_login_pdu(i, SEC_TO_FULL, text);
		EXPECT_REFUSED(i, LOGIN_AUTH_FAILURE);
		ini_free(i);
		ini_free(j);
	}
	open_up();
}

/* Answers too long for one PDU are no way around the last step. */
static void test_no_way_around(void)
{
	struct ini *i = ini_new(server, 1);
	g_autoptr(GString) text = g_string_new("CHAP_A=7;");

	protect();
	ini_login_pdu(i, 0x00, NAMES CHAP);
	EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
	for (unsigned n = 0; n < 230; n++)
		g_string_append_printf(text, "X-com.example.a-key-nobody-knows-%030u=1;", n);
	while (text->len > 4000) {
		g_autofree char *part = g_strndup(text->str, 4000);

		ini_login_pdu(i, 0x40, part);
		EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
		g_string_erase(text, 0, 4000);
	}
	ini_login_pdu(i, 0x00, text->str);
	EXPECT_LOGIN(i, 0x40, LOGIN_SUCCESS);
	for (unsigned n = 0; n < 4; n++) {
		ini_login_pdu(i, SEC_TO_FULL, "");
		EXPECT_PDU(i, OP_LOGIN_RESPONSE);
		g_assert_cmphex(i->bhs[1] & 0x83, ==, 0);
		if (!(i->bhs[1] & 0x40))
			break;
	}
	ini_login_pdu(i, SEC_TO_FULL, "");
	EXPECT_REFUSED(i, LOGIN_MISSING_PARAMETER);
	ini_free(i);
	open_up();
}

/* fips = true is a list without the two. */
static void test_order(void)
{
	static const uint8_t fips[] = { CHAP_SHA256 };
	struct ini *i = ini_new(server, 1);
	g_autofree char *r = NULL;

	node_set_auth(server->node, server->target, accounts(fips, 1));
	ini_login_pdu(i, 0x00, NAMES CHAP);
	EXPECT_LOGIN(i, 0x00, LOGIN_SUCCESS);
	ini_login_pdu(i, 0x00, "CHAP_A=5,6;");
	EXPECT_REFUSED(i, LOGIN_AUTH_FAILURE);
	ini_free(i);
	i = ini_new(server, 1);
	r = to_challenge(i, NAMES, CHAP_SHA256, SECRET);
	ini_free(i);
	open_up();
}

static int64_t log_in_us(const char *secret)
{
	struct ini *i = ini_new_tcp(server, 1);
	g_autofree char *r = to_challenge(i, NAMES, CHAP_MD5, secret), *text = last("joe", r, "");
	int64_t before = g_get_monotonic_time(), took;

	ini_login_pdu(i, SEC_TO_FULL, text);
	EXPECT_PDU(i, OP_LOGIN_RESPONSE);
	took = g_get_monotonic_time() - before;
	g_assert_cmphex(get16(i->bhs + 36), ==, strcmp(secret, SECRET) ? LOGIN_AUTH_FAILURE : LOGIN_SUCCESS);
	ini_free(i);
	return took;
}

/* Over TCP: the second answer waits, a right one ends that. */
static void test_brake(void)
{
	static const struct { const char *secret; int64_t at_least_us; } rows[] = {
		{ MUTUAL, 0 }, { MUTUAL, 200000 }, { SECRET, 400000 },
	};
	int64_t least_us = G_MAXINT64;

	protect();
	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		g_assert_cmpint(log_in_us(rows[n].secret), >=, rows[n].at_least_us);
	/* The machine may be slow now, and once more. */
	for (unsigned n = 0; n < 30 && least_us >= 400000; n++)
		least_us = MIN(least_us, log_in_us(SECRET));
	g_assert_cmpint(least_us, <, 400000);
	/* Who leaves while his answer waits takes nothing along. */
	for (unsigned n = 0; n < 2; n++) {
		struct ini *i = ini_new_tcp(server, 1);
		g_autofree char *r = to_challenge(i, NAMES, CHAP_MD5, MUTUAL), *text = last("joe", r, "");

		ini_login_pdu(i, SEC_TO_FULL, text);
		ini_free(i);
	}
	open_up();
}

/* 9.2: what has to be secret, or helps to guess it, is in no line of the log, whatever its level. */
static void test_log(void)
{
	static const char *const users[] = { "two", "two", "nobody" }, *const secrets[] = { SECRET, MUTUAL, SECRET };

	protect();
	log_set_level(GOTGT_LOG_DEBUG);
	g_free(server_logged());	/* what others said */
	for (unsigned n = 0; n < G_N_ELEMENTS(users); n++) {
		struct ini *i = ini_new(server, 1);
		g_autofree char *r = to_challenge(i, NAMES, CHAP_SHA256, secrets[n]);
		g_autofree char *challenge = value(i, "CHAP_C"), *ours = NULL, *lines = NULL;
		g_autofree char *text = last(users[n], r, "CHAP_I=7;CHAP_C=" THEIR_CHALLENGE ";");
		const char *secret[] = { SECRET, MUTUAL, &THEIR_CHALLENGE[2], r + 2, challenge + 2, NULL };

		ini_login_pdu(i, SEC_TO_FULL, text);
		EXPECT_PDU(i, OP_LOGIN_RESPONSE);
		g_assert_cmphex(get16(i->bhs + 36), ==, n ? LOGIN_AUTH_FAILURE : LOGIN_SUCCESS);
		ours = value(i, "CHAP_R");
		g_assert_true((ours != NULL) == !n);
		secret[5] = ours ? ours + 2 : NULL;
		ini_hang_up(i);
		lines = server_logged();
		for (unsigned m = 0; m < G_N_ELEMENTS(secret); m++)
			g_assert_true(!secret[m] || !strstr(lines, secret[m]));
		if (n) {	/* who failed is there, and why */
			g_assert_nonnull(strstr(lines, n == 1 ? "as two refused" : "as nobody refused"));
			g_assert_nonnull(strstr(lines, "0201"));
		} else {
			g_assert_nonnull(strstr(lines, "is logged in to"));
		}
		ini_free(i);
	}
	log_set_level(GOTGT_LOG_INFO);
	open_up();
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/rfc7143/12.1.3/one-way", test_one_way);
	g_test_add_func("/rfc7143/12.1.3/mutual", test_mutual);
	g_test_add_func("/rfc7143/12.1.3/discovery", test_discovery);
	g_test_add_func("/rfc7143/12/first-request", test_first_request);
	g_test_add_func("/rfc7143/6.2.1/method-list", test_method_list);
	g_test_add_func("/rfc7143/12.1.3/second-request", test_second_request);
	g_test_add_func("/rfc7143/12.1.3/last-request", test_last_request);
	g_test_add_func("/rfc7143/9.2.1/reflection", test_reflection);
	g_test_add_func("/rfc7143/6.3.2/no-way-around", test_no_way_around);
	g_test_add_func("/rfc7143/12.1.3/order", test_order);
	g_test_add_func("/rfc7143/9.2/brake", test_brake);
	g_test_add_func("/rfc7143/9.2/log", test_log);
	return server_run();
}

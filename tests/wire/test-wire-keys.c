/* SPDX-License-Identifier: Apache-2.0 */
/* Every key of the table (RFC 7143 12, 13), in every way it may come.  The rows are the core's own. */
#include "config.h"
#include "iscsi/keys.h"
#include "ini.h"

#define NAMES "InitiatorName=" HOST ";TargetName=" DISK ";"
enum { OPERATIONAL = 0x04, SECURITY = 0x00 };

static const char *legal(const struct key *k)
{
	switch ((enum key_kind)k->kind) {
	case KEY_AND:
	case KEY_OR:
		return "Yes";
	case KEY_LIST:
		return k->values[0];
	case KEY_TEXT:
		return k->said == SAID_SESSION_TYPE ? "Normal" : k->said == SAID_TARGET_NAME ? DISK :
		       k->said == SAID_INITIATOR_NAME ? HOST : "x";
	case KEY_REJECT:
		return "1~2";
	case KEY_MIN:
	case KEY_MAX:
	case KEY_DECLARE:
		break;
	}
	return k->min <= 1 ? "1" : "4096";
}

static bool is_name(const struct key *k)
{
	return k->said == SAID_INITIATOR_NAME || k->said == SAID_TARGET_NAME;
}

static bool is_chap(const struct key *k)
{
	return k->said >= SAID_CHAP_A && k->said <= SAID_CHAP_R;
}

/* A login whose first request says text besides the names, in this stage. */
static struct ini *say(uint8_t stage, const char *names, const char *text)
{
	g_autofree char *all = g_strconcat(names, text, NULL);
	struct ini *i = ini_new(server, 1);

	ini_login_pdu(i, stage, all);
	return i;
}

static void expect_answer(struct ini *i, uint8_t stage, const struct key *k, const char *value)
{
	g_autofree char *got = NULL, *want = g_strdup_printf("%s=%s;", k->name, value), *any = g_strdup_printf("%s=", k->name);

	EXPECT_LOGIN(i, stage, LOGIN_SUCCESS);
	got = ini_text(i);
	g_test_message("%s", got);
	if (*value)
		g_assert_true(g_str_has_prefix(got, want));
	else if (k->kind != KEY_DECLARE && !(k->flags & KEY_TARGETS))	/* else we declare our own under that name */
		g_assert_null(strstr(got, any));
}

static void refused(struct ini *i, enum login_status status)
{
	EXPECT_REFUSED(i, status);
	ini_free(i);
}

/* 6.3: in one text and in two, a key twice ends the login. */
static void test_twice(void)
{
	for (const struct key *k = keys; k < keys + keys_count; k++) {
		g_autofree char *once = g_strdup_printf("%s=%s;", k->name, legal(k)), *twice = g_strconcat(once, once, NULL);
		struct ini *i;

		g_test_message("%s", once);
		refused(say(OPERATIONAL, NAMES, is_name(k) ? once : twice), LOGIN_INITIATOR_ERROR);
		if (is_chap(k))
			continue;
		i = say(OPERATIONAL, NAMES, is_name(k) ? "" : once);
		EXPECT_LOGIN(i, OPERATIONAL, LOGIN_SUCCESS);
		ini_login_pdu(i, OPERATIONAL, once);
		refused(i, LOGIN_INITIATOR_ERROR);
	}
}

/* 6.2: words for answers are no proposals; of keys that both sides declare they may answer ours. */
static void test_words(void)
{
	static const char *const words[] = { "Reject", "NotUnderstood", "Irrelevant" };

	for (const struct key *k = keys; k < keys + keys_count; k++)
		for (unsigned w = 0; w < G_N_ELEMENTS(words); w++) {
			g_autofree char *text = g_strdup_printf("%s=%s;", k->name, words[w]);
			struct ini *i;

			if (is_name(k))
				continue;
			g_test_message("%s", text);
			i = say(OPERATIONAL, NAMES, text);
			if (k->kind == KEY_DECLARE || k->flags & KEY_TARGETS) {
				EXPECT_LOGIN(i, OPERATIONAL, LOGIN_SUCCESS);
				ini_free(i);
			} else {
				refused(i, k->said == SAID_SESSION_TYPE ? LOGIN_SESSION_TYPE : LOGIN_INITIATOR_ERROR);
			}
		}
}

/* 6.1: names have 63 bytes, values 255, and large ones 8192. */
static void test_lengths(void)
{
	g_autofree char *value = g_strnfill(KEY_VALUE_MAX + 1, '1');

	for (const struct key *k = keys; k < keys + keys_count; k++) {
		g_autofree char *text = g_strdup_printf("%s=%s;", k->name, value);
		bool large = k->kind == KEY_LIST || k->flags & KEY_LARGE;

		if (is_name(k) || k->said == SAID_SESSION_TYPE || large)
			continue;
		g_test_message("%s", k->name);
		refused(say(OPERATIONAL, NAMES, text), LOGIN_INITIATOR_ERROR);
	}
	for (unsigned len = KEY_NAME_MAX; len <= KEY_NAME_MAX + 1; len++) {
		g_autofree char *name = g_strnfill(len, 'X'), *text = g_strconcat(name, "=1;", NULL);
		struct ini *i = say(OPERATIONAL, NAMES, text);

		if (len > KEY_NAME_MAX) {
			refused(i, LOGIN_INITIATOR_ERROR);
			continue;
		}
		EXPECT_LOGIN(i, OPERATIONAL, LOGIN_SUCCESS);
		ini_free(i);
	}
}

/* 13.21: what a discovery session has no use for is Irrelevant there. */
static void test_discovery(void)
{
	for (const struct key *k = keys; k < keys + keys_count; k++) {
		g_autofree char *text = g_strdup_printf("%s=%s;", k->name, legal(k));
		struct ini *i;

		if (!(k->phases & PHASE_OPERATIONAL) || k->flags & KEY_FIRST)
			continue;
		i = say(OPERATIONAL, "InitiatorName=" HOST ";SessionType=Discovery;", text);
		if (k->flags & KEY_NORMAL) {
			expect_answer(i, OPERATIONAL, k, "Irrelevant");
		} else {
			g_autofree char *got = NULL;

			EXPECT_LOGIN(i, OPERATIONAL, LOGIN_SUCCESS);
			got = ini_text(i);
			g_assert_null(strstr(got, "Irrelevant"));
		}
		ini_free(i);
	}
}

/* Keys in a stage that is not theirs, and those that only targets send. */
static void test_wrong_place(void)
{
	for (const struct key *k = keys; k < keys + keys_count; k++)
		for (unsigned security = 0; security < 2; security++) {
			g_autofree char *text = g_strdup_printf("%s=%s;", k->name, legal(k));
			uint8_t stage = security ? SECURITY : OPERATIONAL;
			struct ini *i;

			if (k->phases & (security ? PHASE_SECURITY : PHASE_OPERATIONAL))
				continue;
			i = say(stage, NAMES, text);
			expect_answer(i, stage, k, "Reject");
			ini_free(i);
		}
}

/* A key for the session, on a connection that joins it. */
static void test_not_leading(void)
{
	struct ini *lead = ini_new_login(server, 1, "MaxConnections=4;");

	for (const struct key *k = keys; k < keys + keys_count; k++) {
		g_autofree char *text = g_strdup_printf(NAMES "%s=%s;", k->name, legal(k));
		struct ini *i;

		if (!(k->phases & PHASE_OPERATIONAL) || k->flags & KEY_FIRST)
			continue;
		i = ini_new(server, 1);
		i->tsih = lead->tsih;
		i->cid = 1;
		i->cmd_sn = lead->cmd_sn;
		ini_login_pdu(i, OPERATIONAL, text);
		if (k->flags & KEY_LEADING)
			expect_answer(i, OPERATIONAL, k, "Reject");
		else
			EXPECT_LOGIN(i, OPERATIONAL, LOGIN_SUCCESS);
		ini_free(i);
	}
	ini_check(lead);
	ini_free(lead);
}

static void number(const struct key *k, uint64_t value, bool hex)
{
	g_autofree char *text = g_strdup_printf(hex ? "%s=0x%" G_GINT64_MODIFIER "x;" : "%s=%" G_GINT64_MODIFIER "u;", k->name, value);
	const struct params *offer = &server->target->offer;
	uint32_t ours = k->offset == KEY_NO_OFFSET ? k->fixed : *(const uint32_t *)(const void *)((const char *)offer + k->offset);
	uint32_t theirs = (uint32_t)value;
	bool good = value >= k->min && value <= k->max;
	g_autofree char *want = NULL;
	struct ini *i;

	if (!strcmp(k->name, "FirstBurstLength"))	/* 13.14: not above MaxBurstLength, which is the default here */
		theirs = MIN(theirs, 262144);
	if (!good)
		want = g_strdup("Reject");
	else if (k->kind == KEY_DECLARE)
		want = g_strdup("");
	else
		want = g_strdup_printf("%u", k->kind == KEY_MIN ? MIN(theirs, ours) : MAX(theirs, ours));
	i = say(OPERATIONAL, NAMES, text);
	expect_answer(i, OPERATIONAL, k, want);
	ini_free(i);
}

/* 13, 6.1: each number at its borders and over them, in decimal and hexadecimal digits, and as what is none. */
static void test_numbers(void)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "01", "0x", "0xg", "1.5", "4294967296", "1,2", "Yes" };

	for (const struct key *k = keys; k < keys + keys_count; k++) {
		if (k->kind != KEY_MIN && k->kind != KEY_MAX && k->kind != KEY_DECLARE)
			continue;
		for (unsigned hex = 0; hex < 2; hex++) {
			number(k, k->min, hex);
			number(k, k->min + 1, hex);
			number(k, k->max - 1, hex);
			number(k, k->max, hex);
			number(k, (uint64_t)k->max + 1, hex);
			if (k->min)
				number(k, k->min - 1, hex);
			number(k, UINT32_MAX, hex);
		}
		for (unsigned b = 0; b < G_N_ELEMENTS(bad); b++) {
			g_autofree char *text = g_strdup_printf("%s=%s;", k->name, bad[b]);
			struct ini *i = say(OPERATIONAL, NAMES, text);

			expect_answer(i, OPERATIONAL, k, "Reject");
			ini_free(i);
		}
	}
}

/* Booleans of the two kinds against what this target offers. */
static void test_booleans(void)
{
	static const char *const bad[] = { "", "yes", "NO", "1", "Yes,No", "Yes " };

	for (const struct key *k = keys; k < keys + keys_count; k++) {
		if (k->kind != KEY_AND && k->kind != KEY_OR)
			continue;
		for (unsigned theirs = 0; theirs < 2; theirs++) {
			g_autofree char *text = g_strdup_printf("%s=%s;", k->name, theirs ? "Yes" : "No");
			const struct params *offer = &server->target->offer;
			uint32_t ours = k->offset == KEY_NO_OFFSET ? k->fixed :
					*(const uint32_t *)(const void *)((const char *)offer + k->offset);
			struct ini *i = say(OPERATIONAL, NAMES, text);

			expect_answer(i, OPERATIONAL, k, (k->kind == KEY_AND ? ours && theirs : ours || theirs) ? "Yes" : "No");
			ini_free(i);
		}
		for (unsigned b = 0; b < G_N_ELEMENTS(bad); b++) {
			g_autofree char *text = g_strdup_printf("%s=%s;", k->name, bad[b]);
			struct ini *i = say(OPERATIONAL, NAMES, text);

			expect_answer(i, OPERATIONAL, k, "Reject");
			ini_free(i);
		}
	}
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/keys/rfc7143-6.3-twice", test_twice);
	g_test_add_func("/wire/keys/rfc7143-6.2-words", test_words);
	g_test_add_func("/wire/keys/rfc7143-6.1-lengths", test_lengths);
	g_test_add_func("/wire/keys/rfc7143-13.21-discovery", test_discovery);
	g_test_add_func("/wire/keys/rfc7143-13-wrong-place", test_wrong_place);
	g_test_add_func("/wire/keys/rfc7143-13-not-leading", test_not_leading);
	g_test_add_func("/wire/keys/rfc7143-13-numbers", test_numbers);
	g_test_add_func("/wire/keys/rfc7143-13-booleans", test_booleans);
	return server_run();
}

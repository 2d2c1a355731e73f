/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <string.h>
#include "iscsi/keys.h"

static struct params offer;
static struct negotiation neg;
static GByteArray *out;

static void begin(enum key_phase phase)
{
	negotiation_clear(&neg);
	offer = params_offered;
	negotiation_init(&neg, &offer, phase);
	g_byte_array_set_size(out, 0);
}

/* The answers, with ';' for NUL. */
static char *answers(void)
{
	char *text = g_malloc(out->len + 1);

	for (guint i = 0; i < out->len; i++)
		text[i] = out->data[i] ? (char)out->data[i] : ';';
	text[out->len] = '\0';
	g_byte_array_set_size(out, 0);
	return text;
}

/* Pairs with ';' for NUL; NULL answer: the negotiation must fail. */
static void expect(const char *pairs, const char *answer)
{
	g_autofree char *text = g_strdup(pairs), *got = NULL;
	const char *why;

	keys_introduce(&neg, g_strdelimit(text, ";", '\0'), strlen(pairs));
	why = keys_negotiate(&neg, text, strlen(pairs), out);
	got = answers();
	if (answer)
		g_assert_cmpstr(why, ==, NULL);
	else
		g_assert_nonnull(why);
	if (answer)
		g_assert_cmpstr(got, ==, answer);
}

static void expect_pair(const char *name, const char *value, const char *answer)
{
	g_autofree char *pair = g_strdup_printf("%s=%s;", name, value);
	g_autofree char *want = answer ? g_strdup_printf("%s=%s;", name, answer) : g_strdup("");

	begin(PHASE_OPERATIONAL);
	expect(pair, want);
}

static const struct key *find(const char *name)
{
	for (unsigned i = 0; i < keys_count; i++)
		if (g_str_equal(keys[i].name, name))
			return &keys[i];
	g_error("no key %s", name);
}

static uint32_t at(const struct params *p, const struct key *k)
{
	return *(const uint32_t *)(const void *)((const char *)p + k->offset);
}

/* Rows hold together, and with the two tables of values. */
static void test_table(void)
{
	for (unsigned i = 0; i < keys_count; i++) {
		const struct key *k = &keys[i];
		bool number = k->kind == KEY_MIN || k->kind == KEY_MAX || k->kind == KEY_DECLARE;

		g_test_message("%s", k->name);
		g_assert_cmpuint(strlen(k->name), <=, KEY_NAME_MAX);
		for (unsigned j = 0; j < i; j++)
			g_assert_cmpstr(k->name, !=, keys[j].name);
		g_assert_true(k->phases || k->flags & KEY_TARGETS);
		g_assert_cmpuint(k->said, <, SAID_COUNT);
		g_assert_true((k->kind == KEY_LIST) == (k->values != NULL));
		if (k->kind <= KEY_DECLARE && k->kind != KEY_LIST)
			g_assert_cmpuint(k->max, >, k->min);
		g_assert_true(k->kind != KEY_DECLARE || k->offset != KEY_NO_OFFSET);
		if (k->offset == KEY_NO_OFFSET || k->kind == KEY_LIST)
			continue;
		g_assert_cmpuint(k->offset, <, sizeof(struct params));
		g_assert_cmpuint(at(&params_initial, k), ==, k->initial);
		if (number) {
			g_assert_cmpuint(at(&params_offered, k), >=, k->min);
			g_assert_cmpuint(at(&params_offered, k), <=, k->max);
		}
	}
}

/* Every number of the table at its borders, over them, and as what is no number. */
static void test_numbers(void)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "01", "0x", "0xg", "1.5", "4294967296",
					   "99999999999999999999", "abc", "Yes", "1~2", "0x100000000" };

	for (unsigned i = 0; i < keys_count; i++) {
		const struct key *k = &keys[i];
		char value[32], want[32];
		uint32_t ours = k->offset == KEY_NO_OFFSET ? k->fixed : at(&params_offered, k);

		if (k->kind != KEY_MIN && k->kind != KEY_MAX)
			continue;
		g_test_message("%s", k->name);
		for (unsigned b = 0; b < G_N_ELEMENTS(bad); b++)
			expect_pair(k->name, bad[b], "Reject");
		for (unsigned border = 0; border < 4; border++) {
			uint32_t n = border & 1 ? k->max : k->min;

			g_snprintf(value, sizeof value, border & 2 ? "0x%X" : "%u", n);
			g_snprintf(want, sizeof want, "%u", k->kind == KEY_MIN ? MIN(n, ours) : MAX(n, ours));
			if (g_str_equal(k->name, "FirstBurstLength") && n == k->max)
				g_snprintf(want, sizeof want, "%u", MIN(ours, params_initial.max_burst));
			expect_pair(k->name, value, want);
			if (k->offset != KEY_NO_OFFSET) {
				g_snprintf(value, sizeof value, "%u", at(&neg.agreed, k));
				g_assert_cmpstr(value, ==, want);
			}
		}
		g_snprintf(value, sizeof value, "%u", k->max + 1);
		expect_pair(k->name, value, "Reject");
		if (k->min) {
			g_snprintf(value, sizeof value, "%u", k->min - 1);
			expect_pair(k->name, value, "Reject");
		}
		if (k->offset != KEY_NO_OFFSET)		/* a refused value changes nothing */
			g_assert_cmpuint(at(&neg.agreed, k), ==, at(&params_initial, k));
	}
}

static void test_booleans(void)
{
	static const char *const bad[] = { "yes", "YES", "no", "1", "0", "", "Yes,No", "true", "Yes " };

	for (unsigned i = 0; i < keys_count; i++) {
		const struct key *k = &keys[i];

		if (k->kind != KEY_AND && k->kind != KEY_OR)
			continue;
		g_test_message("%s", k->name);
		for (unsigned b = 0; b < G_N_ELEMENTS(bad); b++)
			expect_pair(k->name, bad[b], "Reject");
		for (unsigned ours = 0; k->offset != KEY_NO_OFFSET && ours < 2; ours++)
			for (unsigned theirs = 0; theirs < 2; theirs++) {
				bool result = k->kind == KEY_AND ? ours && theirs : ours || theirs;
				g_autofree char *ask = g_strdup_printf("%s=%s;", k->name, theirs ? "Yes" : "No");
				g_autofree char *want = g_strdup_printf("%s=%s;", k->name, result ? "Yes" : "No");

				begin(PHASE_OPERATIONAL);
				*(uint32_t *)(void *)((char *)&offer + k->offset) = ours;
				expect(ask, want);
				g_assert_cmpuint(at(&neg.agreed, k), ==, result);
			}
	}
	expect_pair("IFMarker", "Yes", "No");
	expect_pair("OFMarker", "Yes", "No");
	expect_pair("OFMarker", "No", "No");
}

/* offered: 0 None, 1 either, 2 CRC32C */
static void test_digests(void)
{
	static const struct { const char *ask, *answer[3]; } rows[] = {
		{ "None", { "None", "None", "Reject" } },
		{ "CRC32C", { "Reject", "CRC32C", "CRC32C" } },
		{ "None,CRC32C", { "None", "None", "CRC32C" } },
		{ "CRC32C,None", { "None", "CRC32C", "CRC32C" } },
		{ "X-other,CRC32C", { "Reject", "CRC32C", "CRC32C" } },
		{ "crc32c", { "Reject", "Reject", "Reject" } },
		{ "", { "Reject", "Reject", "Reject" } },
		{ ",,", { "Reject", "Reject", "Reject" } },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
		for (unsigned ours = 0; ours < 3; ours++) {
			g_autofree char *ask = g_strdup_printf("HeaderDigest=%s;DataDigest=%s;", rows[i].ask,
							       rows[i].ask);
			g_autofree char *want = g_strdup_printf("HeaderDigest=%s;DataDigest=%s;", rows[i].answer[ours],
								rows[i].answer[ours]);
			bool crc = g_str_equal(rows[i].answer[ours], "CRC32C");

			begin(PHASE_OPERATIONAL);
			offer.header_digest = offer.data_digest = ours;
			expect(ask, want);
			g_assert_cmpuint(neg.agreed.header_digest, ==, crc);
			g_assert_cmpuint(neg.agreed.data_digest, ==, crc);
			g_assert_true((keys_check(&neg) != NULL) == (ours == 2 && !crc));
		}
}

/* What there is no answer to, or one answer. */
static void test_fixed(void)
{
	expect_pair("IFMarkInt", "1~100", "Reject");
	expect_pair("OFMarkInt", "2048", "Reject");
	expect_pair("TaskReporting", "ResponseFence,RFC3720", "RFC3720");
	expect_pair("TaskReporting", "FastAbort", "Reject");
	expect_pair("iSCSIProtocolLevel", "2", "1");
	expect_pair("iSCSIProtocolLevel", "0", "0");
	expect_pair("X-com.example.key", "x", "NotUnderstood");
	expect_pair("X#NodeArchitecture", "any", NULL);
	expect_pair("NoSuchKey", "", "NotUnderstood");
	expect_pair("initialr2t", "Yes", "NotUnderstood");
	expect_pair("AuthMethod", "None", "Reject");		/* the wrong stage */
	expect_pair("SendTargets", "All", "Reject");
	expect_pair("TargetAddress", "1.2.3.4", "Reject");
	expect_pair("TargetAlias", "NotUnderstood", NULL);	/* a reply to ours */
	expect_pair("TargetPortalGroupTag", "1", "Reject");
}

static void test_declared(void)
{
	expect_pair("MaxRecvDataSegmentLength", "512", NULL);
	g_assert_cmpuint(neg.agreed.peer_max_recv_dsl, ==, 512);
	g_assert_cmpuint(neg.agreed.max_recv_dsl, ==, params_offered.max_recv_dsl);
	expect_pair("MaxRecvDataSegmentLength", "16777215", NULL);
	g_assert_cmpuint(neg.agreed.peer_max_recv_dsl, ==, 16777215);
	expect_pair("MaxRecvDataSegmentLength", "511", "Reject");
	expect_pair("MaxRecvDataSegmentLength", "16777216", "Reject");
	expect_pair("MaxRecvDataSegmentLength", "many", "Reject");
	g_assert_cmpuint(neg.agreed.peer_max_recv_dsl, ==, 8192);

	begin(PHASE_OPERATIONAL);
	expect("InitiatorName=iqn.a;InitiatorAlias=my host;SessionType=Normal;TargetName=iqn.b;", "");
	g_assert_cmpstr(neg.said[SAID_INITIATOR_NAME], ==, "iqn.a");
	g_assert_cmpstr(neg.said[SAID_INITIATOR_ALIAS], ==, "my host");
	g_assert_cmpstr(neg.said[SAID_TARGET_NAME], ==, "iqn.b");
	g_assert_false(neg.discovery);
	expect("InitiatorName=iqn.c;", NULL);
}

static void test_auth(void)
{
	begin(PHASE_SECURITY);
	expect("AuthMethod=CHAP,None;", "AuthMethod=None;");
	g_assert_false(neg.auth_failed);
	begin(PHASE_SECURITY);
	expect("AuthMethod=CHAP;", "AuthMethod=Reject;");
	g_assert_true(neg.auth_failed);
}

/* A discovery session has no data to agree on, but time, digests and segments. */
static void test_irrelevant(void)
{
	for (unsigned i = 0; i < keys_count; i++) {
		const struct key *k = &keys[i];
		const char *value = k->kind == KEY_AND || k->kind == KEY_OR ? "Yes" : k->values ? k->values[0] : "600";
		g_autofree char *got = NULL, *pair = g_strdup_printf("%s=%s", k->name, value);

		if (!(k->phases & PHASE_OPERATIONAL) || k->flags & KEY_FIRST)
			continue;
		begin(PHASE_OPERATIONAL);
		expect("SessionType=Discovery;", "");
		g_assert_true(neg.discovery);
		neg.started = false;
		g_assert_null(keys_negotiate(&neg, pair, strlen(pair) + 1, out));
		got = answers();
		g_test_message("%s", got);
		g_assert_true(g_str_has_suffix(got, "=Irrelevant;") == !!(k->flags & KEY_NORMAL));
	}
	g_assert_true(find("MaxBurstLength")->flags & KEY_NORMAL);
	g_assert_true(find("MaxConnections")->flags & KEY_NORMAL);
	g_assert_false(find("DefaultTime2Wait")->flags & KEY_NORMAL);
	g_assert_false(find("ErrorRecoveryLevel")->flags & KEY_NORMAL);
}

/* Every key the second time, in one text and in two. */
static void test_twice(void)
{
	for (unsigned i = 0; i < keys_count; i++) {
		g_autofree char *once = g_strdup_printf("%s=0;", keys[i].name);
		g_autofree char *twice = g_strconcat(once, once, NULL);
		GByteArray *ignored = g_byte_array_new();
		g_autofree char *text = g_strdup(once);

		begin(PHASE_OPERATIONAL);
		expect(twice, NULL);
		begin(PHASE_OPERATIONAL);
		g_strdelimit(text, ";", '\0');
		g_assert_null(keys_negotiate(&neg, text, strlen(once), ignored));
		expect(once, NULL);
		g_byte_array_unref(ignored);
	}
}

/* In the full feature phase only some may be asked again. */
static void test_full_feature(void)
{
	begin(PHASE_FULL);
	expect("MaxRecvDataSegmentLength=4096;InitiatorAlias=x;SendTargets=All;", "");
	g_assert_cmpuint(neg.agreed.peer_max_recv_dsl, ==, 4096);
	g_assert_cmpstr(neg.said[SAID_SEND_TARGETS], ==, "All");
	for (unsigned i = 0; i < keys_count; i++) {
		g_autofree char *ask = g_strdup_printf("%s=1;", keys[i].name);
		g_autofree char *want = g_strdup_printf("%s=Reject;", keys[i].name);

		begin(PHASE_FULL);
		if (!(keys[i].phases & PHASE_FULL))
			expect(ask, want);
	}
}

/* Of a session's second connection. */
static void test_not_leading(void)
{
	begin(PHASE_OPERATIONAL);
	neg.leading = false;
	expect("MaxBurstLength=4096;HeaderDigest=CRC32C;ErrorRecoveryLevel=0;",
	       "MaxBurstLength=Reject;HeaderDigest=CRC32C;ErrorRecoveryLevel=Reject;");
}

/* FirstBurstLength never passes MaxBurstLength, whatever comes first. */
static void test_bursts(void)
{
	begin(PHASE_OPERATIONAL);
	expect("FirstBurstLength=131072;MaxBurstLength=65536;", "FirstBurstLength=65536;MaxBurstLength=65536;");
	begin(PHASE_OPERATIONAL);
	expect("MaxBurstLength=16777215;FirstBurstLength=16777215;", "MaxBurstLength=1048576;FirstBurstLength=262144;");
	begin(PHASE_OPERATIONAL);
	expect("MaxBurstLength=512;", "MaxBurstLength=512;");
	g_assert_cmpuint(neg.agreed.first_burst, ==, 512);
}

static void test_malformed(void)
{
	static const char *const bad[] = { "InitialR2T", ";InitialR2T;", "=Yes;", "=;", "InitialR2T=Yes",
					   "K123456789012345678901234567890123456789012345678901234567890123=x;" };
	g_autofree char *large = g_malloc0(KEYS_TEXT_MAX + 1);
	GString *many = g_string_new(NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		begin(PHASE_OPERATIONAL);
		expect(bad[i], NULL);
	}
	begin(PHASE_OPERATIONAL);
	expect("", "");
	expect(";;InitialR2T=No;;", "InitialR2T=No;");
	g_assert_nonnull(keys_negotiate(&neg, large, KEYS_TEXT_MAX + 1, out));
	g_assert_null(keys_negotiate(&neg, large, KEYS_TEXT_MAX, out));
	for (unsigned i = 0; i < KEYS_PAIRS_MAX; i++)
		g_string_append_printf(many, "X%u=;", i);
	g_strdelimit(many->str, ";", '\0');
	g_assert_null(keys_negotiate(&neg, many->str, many->len, out));
	g_string_append_len(many, "Y=\0", 3);
	g_assert_nonnull(keys_negotiate(&neg, many->str, many->len, out));
	g_string_free(many, TRUE);

	/* Values: 255 bytes, but for lists and keys we do not know. */
	memset(large, 'x', KEYS_TEXT_MAX);
	memcpy(large, "InitiatorAlias=", 15);
	large[15 + KEY_VALUE_MAX] = '\0';
	begin(PHASE_OPERATIONAL);
	g_assert_null(keys_negotiate(&neg, large, 15 + KEY_VALUE_MAX + 1, out));
	large[15 + KEY_VALUE_MAX] = 'x';
	large[15 + KEY_VALUE_MAX + 1] = '\0';
	begin(PHASE_OPERATIONAL);
	g_assert_nonnull(keys_negotiate(&neg, large, 15 + KEY_VALUE_MAX + 2, out));
}

static void test_names(void)
{
	static const char *const good[] = { "iqn.2001-04.com.example:storage.disk1", "iqn.x", "eui.02004567A425678D",
					    "naa.52004567BA64678D", "naa.62004567BA64678D0123456789ABCDEF" };
	static const char *const bad[] = { "", "iqn.", "iqn", "disk", "IQN.2001-04.com.example", "iqn.a b", "iqn.a\nb",
					   "eui.02004567A425678", "eui.02004567A425678DD", "eui.02004567A425678G",
					   "naa.1",
					   "naa.52004567BA64678D0", "iqn.\x7f" };
	char longest[225];

	for (unsigned i = 0; i < G_N_ELEMENTS(good); i++)
		g_assert_null(keys_name_wrong(good[i]));
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_nonnull(keys_name_wrong(bad[i]));
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "iqn.", 4);
	longest[224] = '\0';
	g_assert_nonnull(keys_name_wrong(longest));
	longest[223] = '\0';
	g_assert_null(keys_name_wrong(longest));
}

int main(int argc, char **argv)
{
	int rc;

	g_test_init(&argc, &argv, NULL);
	out = g_byte_array_new();
	g_test_add_func("/keys/table", test_table);
	g_test_add_func("/keys/numbers", test_numbers);
	g_test_add_func("/keys/booleans", test_booleans);
	g_test_add_func("/keys/digests", test_digests);
	g_test_add_func("/keys/fixed", test_fixed);
	g_test_add_func("/keys/declared", test_declared);
	g_test_add_func("/keys/auth", test_auth);
	g_test_add_func("/keys/irrelevant", test_irrelevant);
	g_test_add_func("/keys/twice", test_twice);
	g_test_add_func("/keys/full-feature", test_full_feature);
	g_test_add_func("/keys/not-leading", test_not_leading);
	g_test_add_func("/keys/bursts", test_bursts);
	g_test_add_func("/keys/malformed", test_malformed);
	g_test_add_func("/keys/names", test_names);
	rc = g_test_run();
	negotiation_clear(&neg);
	g_byte_array_unref(out);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the lines about a connection are about, and that no command has one. */
#include "config.h"
#include "engine/log.h"
#include "ini.h"

#define LINES 16

static struct {
	pthread_mutex_t lock;
	unsigned n;
	struct line { char domain[16], text[256], target[256], initiator[256], conn[64]; } lines[LINES];
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void keep(enum gotgt_log_level level, const char *text, void *data)
{
	const struct log_entry *e = log_entry();

	pthread_mutex_lock(&kept.lock);
	if (kept.n < LINES) {
		struct line *l = &kept.lines[kept.n];

		g_strlcpy(l->domain, e->domain, sizeof l->domain);
		g_strlcpy(l->text, text, sizeof l->text);
		g_strlcpy(l->target, e->of.target ? e->of.target : "", sizeof l->target);
		g_strlcpy(l->initiator, e->of.initiator ? e->of.initiator : "", sizeof l->initiator);
		g_strlcpy(l->conn, e->of.conn ? e->of.conn : "", sizeof l->conn);
	}
	kept.n++;
	pthread_mutex_unlock(&kept.lock);
}

static void begin(enum gotgt_log_level level)
{
	log_set_level(level);
	pthread_mutex_lock(&kept.lock);
	kept.n = 0;
	pthread_mutex_unlock(&kept.lock);
}

static unsigned lines(void)
{
	unsigned n;

	pthread_mutex_lock(&kept.lock);
	n = kept.n;
	pthread_mutex_unlock(&kept.lock);
	return n;
}

/* The line with text; what is peculiar about it is printed when there is none. */
static struct line *line_with(const char *text)
{
	for (unsigned i = 0; i < MIN(lines(), LINES); i++)
		if (strstr(kept.lines[i].text, text))
			return &kept.lines[i];
	g_error("no line says \"%s\"", text);
}

static void test_login(void)
{
	struct ini *i;
	struct line *l;

	begin(GOTGT_LOG_INFO);
	i = ini_new(server, 1);
	ini_login_pdu(i, SEC_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK ";");
	EXPECT_LOGIN(i, SEC_TO_FULL, LOGIN_SUCCESS);
	l = line_with(" is logged in to ");
	g_assert_cmpstr(l->domain, ==, "login");
	g_assert_cmpstr(l->initiator, ==, HOST);
	g_assert_cmpstr(l->target, ==, DISK);
	g_assert_true(*l->conn && g_str_has_prefix(l->text, l->conn));
	ini_free(i);
}

/* The peer says who it is before anybody has looked at that. */
static void test_refused(void)
{
	struct ini *i;
	struct line *l;

	begin(GOTGT_LOG_INFO);
	i = ini_new(server, 1);
	ini_login_pdu(i, SEC_TO_FULL, "InitiatorName=iqn.\n<0>evil\"\x1b[2J;TargetName=iqn.2016-09.com.example:none;");
	EXPECT_REFUSED(i, LOGIN_INITIATOR_ERROR);
	l = line_with("refused");
	g_assert_cmpstr(l->domain, ==, "login");
	g_assert_cmpstr(l->initiator, ==, "iqn.\\x0a<0>evil\"\\x1b[2J");
	g_assert_nonnull(strstr(l->text, l->initiator));
	ini_free(i);
}

/* Commands, good ones and bad ones, leave no line whatever the level; an error of the connection is a line about it. */
static void test_commands(void)
{
	struct ini *i;
	struct line *l;
	uint8_t block[BLOCK];
	uint32_t itt;
	unsigned before;

	begin(GOTGT_LOG_DEBUG);
	i = ini_new(server, 1);
	ini_login_pdu(i, SEC_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK ";");
	EXPECT_LOGIN(i, SEC_TO_FULL, LOGIN_SUCCESS);
	itt = ini_test_unit_ready(i, 0);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	before = lines();
	for (unsigned n = 0; n < 64; n++)
		ini_check(i);
	itt = ini_read(i, 0, 1, BLOCK);
	ini_finish_read(i, itt, block, sizeof block);
	itt = ini_test_unit_ready(i, 77);
	EXPECT_SENSE(i, itt, KEY_ILLEGAL_REQUEST, 0x25);
	g_assert_cmpuint(lines(), ==, before);
	l = line_with(": IN_LOGIN to LOGGED_IN");
	g_assert_cmpstr(l->domain, ==, "iscsi");
	ini_free(i);
	log_set_level(GOTGT_LOG_INFO);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	log_set_sink(keep, NULL);
	g_test_add_func("/log/login", test_login);
	g_test_add_func("/log/refused", test_refused);
	g_test_add_func("/log/commands", test_commands);
	return server_run();
}

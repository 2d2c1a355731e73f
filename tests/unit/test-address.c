/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as text: what may be bound, what a TargetAddress may say (RFC 7143 13.8). */
#include "config.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <glib.h>
#include "iscsi/address.h"

#define LABEL "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"	/* 63 */

static void test_bind(void)
{
	static const struct { const char *text; bool right; } rows[] = {
		{ "127.0.0.1", true }, { "0.0.0.0", true }, { "::", true }, { "::1", true }, { "2001:db8::1", true },
		{ "::ffff:127.0.0.1", true }, { "fe80::1%eth0", true }, { "fe80::1%2", true }, { "febf::1%lo", true },
		{ "fe80::1", false }, { "fe80::1%", false }, { "::1%lo", false }, { "2001:db8::1%eth0", false },
		{ "127.0.0.1%lo", false }, { "127.1", false }, { "localhost", false }, { "[::1]", false }, { "", false },
		{ "%lo", false }, { "1.2.3.4:5", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_test_message("%s", rows[i].text);
		g_assert_true(!address_bind_wrong(rows[i].text) == rows[i].right);
	}
}

static void test_target(void)
{
	static const struct { const char *text, *full; } rows[] = {
		{ "203.0.113.5", "203.0.113.5:3260" }, { "203.0.113.5:1", "203.0.113.5:1" },
		{ "[2001:db8::1]", "[2001:db8::1]:3260" }, { "[2001:db8::1]:65535", "[2001:db8::1]:65535" },
		{ "san.example.org", "san.example.org:3260" }, { "san.example.org:860", "san.example.org:860" },
		{ "san", "san:3260" }, { "3par.example", "3par.example:3260" }, { "a-b.c", "a-b.c:3260" },
		{ LABEL ".org", LABEL ".org:3260" },
		{ "", NULL }, { ":3260", NULL }, { "2001:db8::1", NULL }, { "[2001:db8::1", NULL }, { "[]", NULL }, { "[", NULL },
		{ "[1.2.3.4]", NULL }, { "[fe80::1%eth0]", NULL }, { "[::1]3260", NULL }, { "san:", NULL }, { "san:0", NULL },
		{ "san:65536", NULL }, { "san:+1", NULL }, { "san: 1", NULL }, { "san:1,1", NULL }, { "san,1", NULL },
		{ "1.2.3.256", NULL }, { "1.2.3", NULL }, { "a..b", NULL }, { ".a", NULL }, { "a.", NULL }, { "-a.b", NULL },
		{ "a-.b", NULL }, { "a.b-", NULL }, { "a b", NULL }, { "a_b", NULL }, { "a;b", NULL }, { LABEL "l.org", NULL },
		{ LABEL "." LABEL "." LABEL "." LABEL, NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		char out[ADDRESS_MAX];

		g_test_message("%s", rows[i].text);
		g_assert_true(!address_target_wrong(rows[i].text) == !!rows[i].full);
		if (!rows[i].full)
			continue;
		address_target(out, rows[i].text, ADDRESS_PORT);
		g_assert_cmpstr(out, ==, rows[i].full);
	}
}

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage a = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&a;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(5);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(5);
		v6->sin6_scope_id = 7;
	} else {
		a.ss_family = AF_UNIX;
	}
	return a;
}

static void test_format(void)
{
	static const struct { const char *in, *out; sa_family_t plain; } rows[] = {
		{ "192.0.2.1", "192.0.2.1", AF_INET }, { "2001:db8::1", "[2001:db8::1]", AF_INET6 },
		{ "::ffff:192.0.2.1", "192.0.2.1", AF_INET }, { "fe80::1", "[fe80::1]", AF_INET6 }, { "a path", NULL, AF_UNIX },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct sockaddr_storage a = address(rows[i].in);
		char out[ADDRESS_MAX];

		g_assert_true(address_format(out, &a) == !!rows[i].out);
		if (rows[i].out)
			g_assert_cmpstr(out, ==, rows[i].out);
		address_unmap(&a);
		g_assert_cmpint(a.ss_family, ==, rows[i].plain);
		if (a.ss_family == AF_INET)
			g_assert_cmpint(((const struct sockaddr_in *)(const void *)&a)->sin_port, ==, htons(5));
	}
}

static void test_here(void)
{
	static const struct { const char *from, *local; bool here; } rows[] = {
		{ "192.0.2.1", "192.0.2.1", true }, { "192.0.2.1", "192.0.2.2", false }, { "127.0.0.2", "127.0.0.1", true },
		{ "192.0.2.1", "127.0.0.1", false }, { "::ffff:192.0.2.1", "192.0.2.1", true },
		{ "::ffff:127.0.0.1", "::ffff:127.0.0.9", true }, { "2001:db8::1", "2001:db8::1", true },
		{ "2001:db8::1", "2001:db8::2", false }, { "::1", "::1", true }, { "fe80::1", "fe80::2", false },
		{ "a path", "a path", false }, { "192.0.2.1", "a path", false }, { "a path", "192.0.2.1", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct sockaddr_storage from = address(rows[i].from), local = address(rows[i].local);

		g_assert_true(address_is_here(&from, &local) == rows[i].here);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/address/bind", test_bind);
	g_test_add_func("/address/target", test_target);
	g_test_add_func("/address/format", test_format);
	g_test_add_func("/address/here", test_here);
	return g_test_run();
}

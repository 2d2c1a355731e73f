/* SPDX-License-Identifier: Apache-2.0 */
/* address.c - see address.h */
#include "config.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <glib.h>
#include "iscsi/address.h"

#define DNS_NAME_MAX 253	/* RFC 1035 2.3.4, as text */
#define DNS_LABEL_MAX 63

const char *address_bind_wrong(const char *text)
{
	const char *percent = strchr(text, '%');
	g_autofree char *host = g_strndup(text, percent ? (size_t)(percent - text) : strlen(text));
	struct in6_addr v6;

	if (inet_pton(AF_INET6, host, &v6) != 1)
		return !percent && inet_pton(AF_INET, host, &v6) == 1 ? NULL : "not a numeric IPv4 or IPv6 address";
	if (IN6_IS_ADDR_LINKLOCAL(&v6))		/* RFC 4007 11: it is one on each link */
		return percent && percent[1] ? NULL : "a link-local address wants its interface: ADDRESS%INTERFACE";
	return percent ? "only a link-local address has an interface" : NULL;
}

/* RFC 1123 2.1 */
static bool is_dns_name(const char *name, size_t len)
{
	size_t label = 0;

	if (!len || len > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '.' ? !label || name[i - 1] == '-' : !g_ascii_isalnum(name[i]) && (name[i] != '-' || !label))
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		if (label > DNS_LABEL_MAX)
			return false;
	}
	return name[len - 1] != '-' && name[len - 1] != '.';
}

/* Four numbers and points are an address or nothing: no top-level domain has digits alone. */
static bool is_host(const char *host, size_t len)
{
	g_autofree char *text = g_strndup(host, len);
	const char *last = strrchr(text, '.');
	struct in6_addr any;

	if (*text == '[') {
		if (len < 3 || text[len - 1] != ']')
			return false;
		text[len - 1] = '\0';
		return inet_pton(AF_INET6, text + 1, &any) == 1;
	}
	last = last ? last + 1 : text;
	if (strspn(last, "0123456789") == strlen(last))
		return inet_pton(AF_INET, text, &any) == 1;
	return is_dns_name(text, len);
}

/* Where the host ends, at its port or at the end. */
static const char *host_end(const char *text)
{
	const char *bracket = *text == '[' ? strchr(text, ']') : NULL, *colon = strchr(bracket ? bracket : text, ':');

	return colon ? colon : text + strlen(text);
}

const char *address_target_wrong(const char *text)
{
	const char *end = host_end(text);
	guint64 port;

	if (!is_host(text, (size_t)(end - text)))
		return "not a DNS name, an IPv4 address or an IPv6 address in [ ]";
	if (*end && !g_ascii_string_to_unsigned(end + 1, 10, 1, 65535, &port, NULL))
		return "the port is no number from 1 to 65535";
	return NULL;
}

void address_target(char out[ADDRESS_MAX], const char *text, uint16_t port)
{
	if (*host_end(text))
		g_strlcpy(out, text, ADDRESS_MAX);
	else
		g_snprintf(out, ADDRESS_MAX, "%s:%u", text, port);
}

void address_unmap(struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	if (a->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return;
	v4.sin_port = v6->sin6_port;
	memcpy(&v4.sin_addr, v6->sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
	memset(a, 0, sizeof *a);
	memcpy(a, &v4, sizeof v4);
}

bool address_format(char out[ADDRESS_MAX], const struct sockaddr_storage *a)
{
	struct sockaddr_storage plain = *a;
	char text[INET6_ADDRSTRLEN];
	const void *bytes;

	address_unmap(&plain);
	if (plain.ss_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)&plain)->sin_addr;
	else if (plain.ss_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)&plain)->sin6_addr;
	else
		return false;
	inet_ntop(plain.ss_family, bytes, text, sizeof text);
	g_snprintf(out, ADDRESS_MAX, plain.ss_family == AF_INET6 ? "[%s]" : "%s", text);
	return true;
}

/* Packets to an address of our own never leave the machine, whichever interface has it. */
bool address_is_here(const struct sockaddr_storage *from, const struct sockaddr_storage *local)
{
	char there[ADDRESS_MAX], here[ADDRESS_MAX];

	return address_format(there, from) && address_format(here, local) &&
	       (!strcmp(there, here) || g_str_has_prefix(there, "127.") || !strcmp(there, "[::1]"));
}

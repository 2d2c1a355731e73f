/* SPDX-License-Identifier: Apache-2.0 */
/* transportid.c - TransportIDs of iSCSI initiator ports (SPC-5 7.6.4.6). */
#include "config.h"
#include <string.h>
#include "scsi/pr.h"
#include "scsi/wire.h"

enum { PROTOCOL_ISCSI = 5, FORMAT_DEVICE = 0x00, FORMAT_PORT = 0x40, ADDITIONAL_MIN = 20, NAME_MAX_LEN = 223 };
enum { ISID_DIGITS = 12 };
#define ISID_MAX ((UINT64_C(1) << 4 * ISID_DIGITS) - 1)
#define SEPARATOR ",i,0x"

size_t transportid_build(uint8_t *d, const char *port)
{
	size_t len = MIN(strlen(port), PR_PORT_SIZE - 1) + 1, padded = MAX((len + 3) & ~(size_t)3, ADDITIONAL_MIN);

	memset(d, 0, 4 + padded);
	d[0] = FORMAT_PORT | PROTOCOL_ISCSI;
	put_be16(d + 2, (uint16_t)padded);
	memcpy(d + 4, port, len - 1);
	return 4 + padded;
}

static bool is_name(const char *name, size_t len)
{
	if (len == 0 || len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= 0x20 || name[i] == 0x7f || name[i] == ',')
			return false;
	return true;
}

/* The ISID in as many digits as it has bytes. */
static bool take_port(const char *text, char name[PR_PORT_SIZE])
{
	const char *isid = strstr(text, SEPARATOR);
	guint64 value;

	if (!isid || !is_name(text, (size_t)(isid - text)) ||
	    !g_ascii_string_to_unsigned(isid + strlen(SEPARATOR), 16, 0, ISID_MAX, &value, NULL))
		return false;
	g_snprintf(name, PR_PORT_SIZE, "%.*s" SEPARATOR "%012" G_GINT64_MODIFIER "x", (int)(isid - text), text, value);
	return true;
}

size_t transportid_parse(const uint8_t *d, size_t len, char name[PR_PORT_SIZE], bool *any_port)
{
	size_t additional = len >= 4 ? get_be16(d + 2) : 0;
	char text[4 * PR_PORT_SIZE];

	if (additional < ADDITIONAL_MIN || additional % 4 || additional > len - 4 || additional > sizeof text ||
	    (d[0] & 0x3f) != PROTOCOL_ISCSI || (d[0] & 0xc0) > FORMAT_PORT || !memchr(d + 4, 0, additional))
		return 0;
	memcpy(text, d + 4, additional);
	*any_port = (d[0] & 0xc0) == FORMAT_DEVICE;
	if (!*any_port)
		return take_port(text, name) ? 4 + additional : 0;
	if (!is_name(text, strlen(text)))
		return 0;
	g_strlcpy(name, text, PR_PORT_SIZE);
	return 4 + additional;
}

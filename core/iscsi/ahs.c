/* SPDX-License-Identifier: Apache-2.0 */
/* ahs.c - see ahs.h */
#include "config.h"
#include <stddef.h>
#include "iscsi/ahs.h"

enum { AHS_TYPE_MASK = 0x3f, AHS_EXTENDED_CDB = 1, AHS_BIDI_READ = 2, AHS_TYPES };	/* 11.2.2.1 */

/* AHSLength counts neither itself nor the type, but the reserved byte after these (11.2.2.2). */
static void extended_cdb(const uint8_t *at, uint32_t len, struct ahs *out)	/* 11.2.2.3 */
{
	out->cdb = at + 4;
	out->cdb_len = len - 1;
}

static void bidi_read(const uint8_t *at, uint32_t len, struct ahs *out)		/* 11.2.2.4 */
{
	out->bidi_in = get32(at + 4);
}

static const struct {
	uint32_t min, max;	/* of AHSLength */
	void (*take)(const uint8_t *at, uint32_t len, struct ahs *out);
} types[AHS_TYPES] = {
	[AHS_EXTENDED_CDB] = { 2, 245, extended_cdb },	/* CDBs have up to 260 bytes: SPC-5 4.2 */
	[AHS_BIDI_READ] = { 5, 5, bidi_read },
};

const char *ahs_parse(const struct pdu *p, struct ahs *out)
{
	unsigned seen = 0;

	*out = (struct ahs){ 0 };
	for (uint32_t at = 0; at < p->ahs_len; ) {	/* a multiple of four */
		uint32_t len = get16(p->ahs + at), type = p->ahs[at + 2] & AHS_TYPE_MASK;

		if (type >= AHS_TYPES || !types[type].take)
			return "an additional header of an unknown type";
		if (len < types[type].min || len > types[type].max || pad4(3 + len) > p->ahs_len - at)
			return "an additional header of the wrong length";
		if (seen & 1u << type)
			return "an additional header twice";
		seen |= 1u << type;
		types[type].take(p->ahs + at, len, out);
		at += pad4(3 + len);
	}
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ahs.h - additional header segments (RFC 7143 11.2.2): only a SCSI Command has any. */
#ifndef GOTGT_AHS_H
#define GOTGT_AHS_H

#include "iscsi/wire.h"

struct ahs {
	const uint8_t *cdb;	/* what follows the first 16 bytes of the CDB, or NULL */
	uint32_t cdb_len;
	uint32_t bidi_in;	/* expected bidirectional read data length, or 0 */
};

/* NULL, or what is wrong with them (static text). */
const char *ahs_parse(const struct pdu *p, struct ahs *out);

#endif

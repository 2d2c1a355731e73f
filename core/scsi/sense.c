/* SPDX-License-Identifier: Apache-2.0 */
/* sense.c - the rows of sense.h, and sense data in both formats. */
#include "config.h"
#include "scsi/sense.h"
#include "scsi/wire.h"

const struct sense_row sense_rows[SENSE_COUNT] = {
#define X(name_, key_, asc_, ascq_, text_) \
	[SENSE_##name_] = { .key = KEY_##key_, .asc = asc_, .ascq = ascq_, .name = #name_, .text = text_ },
	SENSE_CODES(X)
#undef X
};

enum { FIXED_LEN = 18, DESC_HEADER = 8, DESC_INFO_LEN = 12, DESC_FIELD_LEN = 8 };

/* SPC-5 4.4.2.4.2 */
static void put_field(uint8_t *p, const struct sense_field *f)
{
	p[0] = (uint8_t)(0x80 | (f->in_cdb ? 0x40 : 0) | (f->in_segment ? 0x20 : 0) | (f->bit_valid ? 0x08 | (f->bit & 7) : 0));
	put_be16(p + 1, f->byte);
}

static size_t build_fixed(uint8_t *d, const struct sense_row *row, const struct sense_field *field,
			  bool info_valid, uint64_t info)
{
	d[0] = 0x70;
	d[2] = row->key;
	if (info_valid && info <= UINT32_MAX) {
		d[0] |= 0x80;
		put_be32(d + 3, (uint32_t)info);
	}
	d[7] = FIXED_LEN - 8;
	d[12] = row->asc;
	d[13] = row->ascq;
	if (field && field->valid)
		put_field(d + 15, field);
	return FIXED_LEN;
}

static size_t build_descriptor(uint8_t *d, const struct sense_row *row, const struct sense_field *field,
			       bool info_valid, uint64_t info)
{
	size_t at = DESC_HEADER;

	d[0] = 0x72;
	d[1] = row->key;
	d[2] = row->asc;
	d[3] = row->ascq;
	if (info_valid) {
		d[at] = 0x00;
		d[at + 1] = DESC_INFO_LEN - 2;
		d[at + 2] = 0x80;
		put_be64(d + at + 4, info);
		at += DESC_INFO_LEN;
	}
	if (field && field->valid) {
		d[at] = 0x02;
		d[at + 1] = DESC_FIELD_LEN - 2;
		put_field(d + at + 4, field);
		at += DESC_FIELD_LEN;
	}
	d[7] = (uint8_t)(at - DESC_HEADER);
	return at;
}

size_t sense_build(uint8_t *out, size_t size, bool descriptor, enum sense_code code,
		   const struct sense_field *field, bool info_valid, uint64_t info)
{
	uint8_t data[DESC_HEADER + DESC_INFO_LEN + DESC_FIELD_LEN] = { 0 };
	size_t len = (descriptor ? build_descriptor : build_fixed)(data, &sense_rows[code], field, info_valid, info);

	if (len > size)
		len = size;
	memcpy(out, data, len);
	return len;
}

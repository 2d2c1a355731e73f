/* SPDX-License-Identifier: Apache-2.0 */
/* vpd.c - vital product data pages, a function each. */
#include "config.h"
#include <string.h>
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/vpd.h"
#include "scsi/wire.h"

/* SPC-5 7.8.15 */
static size_t supported_pages(struct task *t, uint8_t *d)
{
	size_t n = 0;
	const struct vpd_page *p;

	for (unsigned i = 0; (p = vpd_nth(i)); i++)
		if (vpd_find(t, p->code))
			d[n++] = p->code;
	return n;
}

/* SPC-5 7.8.16 */
static size_t serial_number(struct task *t, uint8_t *d)
{
	struct lun_identity id;
	size_t len;

	lun_get_identity(t->lun, &id);
	len = strlen(id.serial);
	memcpy(d, id.serial, len);
	return len;
}

/* ---- device identification, SPC-5 7.8.6 ---- */

enum { SET_BINARY = 1, SET_ASCII = 2, SET_UTF8 = 3 };
enum { OF_LUN = 0x00, OF_PORT = 0x10, OF_DEVICE = 0x20 };
enum { TYPE_T10_VENDOR = 1, TYPE_NAA = 3, TYPE_RELATIVE_PORT = 4, TYPE_PORT_GROUP = 5, TYPE_SCSI_NAME = 8 };
enum { PROTOCOL_ISCSI = 0x50, PIV = 0x80 };
enum { PORT_DESCRIPTOR_MAX = 12 + 4 + 240 };	/* of an iSCSI name, ",t,0xTTTT" and padding */

static size_t put_designator(uint8_t *d, uint8_t set, uint8_t kind, const void *data, size_t len)
{
	d[0] = set | (kind & 0x30 ? PROTOCOL_ISCSI : 0);
	d[1] = kind | (kind & 0x30 ? PIV : 0);
	d[3] = (uint8_t)len;
	memcpy(d + 4, data, len);
	return len + 4;
}

/* A SCSI name string ends with a zero and is padded with zeroes to a multiple of four. */
static size_t put_name(uint8_t *d, uint8_t kind, const char *name)
{
	size_t len = strlen(name) + 1;
	size_t padded = (len + 3) & ~(size_t)3;

	put_designator(d, SET_UTF8, kind | TYPE_SCSI_NAME, name, len);
	d[3] = (uint8_t)padded;
	return padded + 4;
}

size_t vpd_lun_designators(struct lun *lun, uint8_t *d)
{
	char text[LUN_VENDOR_LEN + LUN_SERIAL_MAX + 1];
	struct lun_identity id;
	uint8_t naa[8];
	size_t at;

	lun_get_identity(lun, &id);
	g_snprintf(text, sizeof text, "%-8s%s", id.vendor, id.serial);
	at = put_designator(d, SET_ASCII, OF_LUN | TYPE_T10_VENDOR, text, strlen(text));
	put_be64(naa, lun_naa(&id));
	return at + put_designator(d + at, SET_BINARY, OF_LUN | TYPE_NAA, naa, 8);
}

static size_t device_identification(struct task *t, uint8_t *d)
{
	const struct nexus *n = t->nexus;
	const char *name = target_name(n->target);
	g_autofree char *port = target_port_name(n->target, n->group->conf.tag);
	uint8_t bin[4];
	size_t at = t->lun ? vpd_lun_designators(t->lun, d) : 0;	/* a well known one has none (SPC-5 7.8.6.2.1) */

	put_be32(bin, n->rel_port);
	at += put_designator(d + at, SET_BINARY, OF_PORT | TYPE_RELATIVE_PORT, bin, 4);
	put_be32(bin, n->group->conf.tag);
	at += put_designator(d + at, SET_BINARY, OF_PORT | TYPE_PORT_GROUP, bin, 4);
	at += put_name(d + at, OF_PORT, port);
	at += put_name(d + at, OF_DEVICE, name);
	return at;
}

/* SPC-5 7.8.9: there is no address to manage it by. */
static size_t management_addresses(struct task *t, uint8_t *d)
{
	return 0;
}

/* SPC-5 7.8.10: every page and subpage is shared by all I_T nexuses. */
static size_t mode_page_policy(struct task *t, uint8_t *d)
{
	enum { ALL_PAGES = 0x3f, ALL_SUBPAGES = 0xff, SHARED = 0 };

	d[0] = ALL_PAGES;
	d[1] = ALL_SUBPAGES;
	d[2] = SHARED;
	return 4;
}

/* SPC-5 7.8.14; who comes in by a port is nobody's business: no initiator port. */
static size_t scsi_ports(struct task *t, uint8_t *d)
{
	struct target *target = t->nexus->target;
	struct target_port ports[TARGET_PORTS_MAX];
	unsigned n = target_get_ports(target, ports);
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		g_autofree char *name = target_port_name(target, ports[i].group);
		size_t len = put_name(d + at + 12, OF_PORT, name);

		put_be16(d + at + 2, ports[i].rel_port);
		put_be16(d + at + 10, (uint16_t)len);
		at += 12 + len;
	}
	return at;
}

/* SPC-5 7.8.7: all task attributes but ACA; a volatile cache; unit attentions as in SAM-5; the longest sense data. */
static size_t extended_inquiry(struct task *t, uint8_t *d)
{
	enum { HEADSUP = 0x04, ORDSUP = 0x02, SIMPSUP = 0x01, V_SUP = 0x01, LUICLR = 0x01 };

	d[5 - 4] = HEADSUP | ORDSUP | SIMPSUP;
	d[6 - 4] = lun_state(t->lun) & LUN_CACHE ? V_SUP : 0;
	d[7 - 4] = LUICLR;
	d[13 - 4] = TASK_SENSE_MAX;
	return 0x3c;
}

/* SBC-4 6.6.4 */
static size_t block_limits(struct task *t, uint8_t *page)
{
	const struct lun *lun = t->lun;
	uint8_t shift = lun->block_shift, *d = page - 4;
	uint32_t optimal = lun->optimal_io_size >> shift, max = LUN_TRANSFER_MAX >> shift;
	uint32_t physical = 1u << lun->physical_exponent, unit;
	uint32_t granularity = lun->info->unmap_granularity >> shift;

	/*
	 * WSNZ: a WRITE SAME of no blocks is one of all to the end.  Not where it can unmap: initiators that mean none
	 * at all lose nothing then.
	 */
	d[4] = lun_state(lun) & LUN_THIN ? 0x01 : 0;
	d[5] = LUN_COMPARE_BLOCKS_MAX;
	unit = MAX(physical, granularity);	/* writes of less may cost a read, or space */
	put_be16(d + 6, (uint16_t)(unit > 1 && unit <= UINT16_MAX ? unit : 0));
	put_be32(d + 8, max);
	put_be32(d + 12, MIN(optimal, max));
	if (lun_state(lun) & LUN_THIN) {
		put_be32(d + 20, UINT32_MAX);	/* LBAs: no limit */
		put_be32(d + 24, LUN_UNMAP_DESCRIPTORS_MAX);
		put_be32(d + 28, MAX(granularity, 1));
		put_be32(d + 32, 0x80000000u);	/* UGAVALID, aligned at LBA 0 */
	}
	put_be64(d + 36, LUN_WRITE_SAME_MAX >> shift);
	put_be32(d + 44, LUN_ATOMIC_MAX >> shift);
	put_be32(d + 48, lun_atomic_unit(lun));
	put_be32(d + 52, lun_atomic_unit(lun));
	put_be32(d + 56, LUN_ATOMIC_MAX >> shift);	/* with an atomic boundary, and of one */
	put_be32(d + 60, LUN_ATOMIC_MAX >> shift);
	return 0x3c;
}

/* SBC-4 6.6.2 */
static size_t block_characteristics(struct task *t, uint8_t *page)
{
	enum { ROTATION_NOT_REPORTED = 0x0000, NON_ROTATING = 0x0001, WABEREQ_READS = 0x40 };

	put_be16(page, t->lun->info->flags & GOTGT_DEV_ROTATIONAL ? ROTATION_NOT_REPORTED : NON_ROTATING);
	if (lun_state(t->lun) & LUN_THIN)	/* SANITIZE has BLOCK ERASE then: reads are as of unmapped blocks */
		page[3] = WABEREQ_READS;
	return 0x3c;
}

/* SBC-4 6.6.6: unmapped blocks read as zeroes. */
static size_t provisioning(struct task *t, uint8_t *page)
{
	enum { LBPU = 0x80, LBPWS = 0x40, LBPWS10 = 0x20, LBPRZ = 0x04, ANC_SUP = 0x02, TYPE_RESOURCE = 1, TYPE_THIN = 2 };

	page[1] = LBPU | LBPWS | LBPWS10 | LBPRZ | (lun_state(t->lun) & LUN_ANCHORS ? ANC_SUP : 0);
	page[2] = t->lun->info->flags & GOTGT_DEV_THIN ? TYPE_THIN : TYPE_RESOURCE;
	return 4;
}

static const struct vpd_page pages[] = {
	{ .code = 0x00, .build = supported_pages, .well_known = true },
	{ .code = 0x80, .build = serial_number },
	{ .code = 0x83, .build = device_identification, .well_known = true },
	{ .code = 0x85, .build = management_addresses },
	{ .code = 0x86, .build = extended_inquiry },
	{ .code = 0x87, .build = mode_page_policy },
	{ .code = 0x88, .build = scsi_ports, .room = 4 + TARGET_PORTS_MAX * PORT_DESCRIPTOR_MAX },
	{ .code = 0x8f, .build = vpd_third_party_copy },
	{ .code = 0xb0, .build = block_limits },
	{ .code = 0xb1, .build = block_characteristics },
	{ .code = 0xb2, .build = provisioning, .thin = true },
};

const struct vpd_page *vpd_nth(unsigned n)
{
	return n < G_N_ELEMENTS(pages) ? &pages[n] : NULL;
}

static bool has(const struct task *t, const struct vpd_page *page)
{
	if (t->well_known)
		return page->well_known;
	return !page->thin || lun_state(t->lun) & LUN_THIN;
}

const struct vpd_page *vpd_find(const struct task *t, uint8_t code)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++)
		if (pages[i].code == code)
			return has(t, &pages[i]) ? &pages[i] : NULL;
	return NULL;
}

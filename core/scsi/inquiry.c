/* SPDX-License-Identifier: Apache-2.0 */
/* inquiry.c - INQUIRY and its standard data (SPC-5 6.7); the pages are in vpd.c. */
#include "config.h"
#include <string.h>
#include "scsi/cdb.h"
#include "scsi/lun.h"
#include "scsi/task.h"
#include "scsi/vpd.h"
#include "scsi/wire.h"

enum { INQUIRY_LEN = 96, NO_LUN = 0x7f, WELL_KNOWN = 0x1e, RMB = 0x80, VERSION_SPC4 = 0x06, HISUP_FORMAT_2 = 0x12 };
enum { TPGS_IMPLICIT = 0x10, TPGS_EXPLICIT = 0x20, MULTIP = 0x10, CMDQUE = 0x02 };

/*
 * SPC-5 6.7.3, annex E: SAM-5, SPC-5, iSCSI, SBC-4, no version claimed; and SPC-4, SBC-3 for those who know no later
 * ones, as the VERSION field is for those who refuse what they do not know.  SBC is of disks.
 */
static const uint16_t version_descriptors[] = { 0x00a0, 0x05c0, 0x0460, 0x0960, 0x0600, 0x04c0 };
enum { NOT_OF_DISKS = 4 };

static void put_padded(uint8_t *d, const char *text, size_t len)
{
	size_t n = strlen(text);

	memset(d, ' ', len);
	memcpy(d, text, MIN(n, len));
}

static void standard(struct task *t)
{
	uint8_t *d = task_reply(t, INQUIRY_LEN);
	struct lun_identity id = { .vendor = "GOTGT" };
	struct target_port ports[TARGET_PORTS_MAX];

	if (!d)
		return;
	if (t->lun)
		lun_get_identity(t->lun, &id);
	else
		d[0] = t->well_known ? WELL_KNOWN : NO_LUN;
	if (t->lun && lun_state(t->lun) & LUN_REMOVABLE)
		d[1] = RMB;
	d[2] = VERSION_SPC4;
	d[3] = HISUP_FORMAT_2;
	d[4] = INQUIRY_LEN - 5;
	if (t->lun)
		d[5] = TPGS_IMPLICIT | (atomic_load(&t->nexus->target->explicit_alua) ? TPGS_EXPLICIT : 0);
	d[6] = target_get_ports(t->nexus->target, ports) > 1 ? MULTIP : 0;
	d[7] = CMDQUE;
	put_padded(d + 8, id.vendor, LUN_VENDOR_LEN);
	put_padded(d + 16, id.product, LUN_PRODUCT_LEN);
	put_padded(d + 32, PACKAGE_VERSION, 4);
	for (unsigned i = 0; i < (t->lun ? G_N_ELEMENTS(version_descriptors) : NOT_OF_DISKS); i++)
		put_be16(d + 58 + 2 * i, version_descriptors[i]);
	task_done_data(t, d, INQUIRY_LEN);
}

static void vpd(struct task *t)
{
	const struct vpd_page *page = t->lun || t->well_known ? vpd_find(t, t->cdb[2]) : NULL;
	size_t len;
	uint8_t *d;

	if (!page) {
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 2, -1);
		return;
	}
	d = task_reply(t, page->room ? page->room : VPD_MAX);
	if (!d)
		return;
	len = page->build(t, d + 4);
	if (t->well_known)
		d[0] = WELL_KNOWN;
	d[1] = page->code;
	put_be16(d + 2, (uint16_t)len);
	task_done_data(t, d, len + 4);
}

void inquiry_run(struct task *t)
{
	if (t->cdb[1] & 1)
		vpd(t);
	else if (t->cdb[2])
		task_fail_field(t, SENSE_INVALID_FIELD_IN_CDB, 2, -1);
	else
		standard(t);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the data of WRITEs ends up that comes in two parts: data segments about as long as those that are received where
 * they belong (PLACE_MIN of rx.c) and shorter, cut anywhere, into a buffer and into lent memory.
 */
#include "config.h"
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include "ini.h"

enum { RAM = 0, MAPPED = 2, PLACE_MIN = 16 << 10, HEAD = BLOCK, TAIL = 2 * BLOCK, LBA = 100, BYTES = 4 << 20, LONG = 256 << 10 };
enum form { BY_COMMAND, UNASKED, ASKED_FOR, FORMS };

#define KEYS "InitialR2T=No;ImmediateData=Yes;FirstBurstLength=262144;MaxRecvDataSegmentLength=262144;"

static const char *const digests[] = {
	"", "HeaderDigest=CRC32C;", "DataDigest=CRC32C;", "HeaderDigest=CRC32C;DataDigest=CRC32C;",
};

/* ---- PDUs ---- */

static GByteArray *write_pdu(struct ini *i, bool final, uint32_t lun, uint32_t edtl, const uint8_t *data, uint32_t len)
{
	uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND, (uint8_t)((final ? FINAL : 0) | WRITE | SIMPLE), [9] = (uint8_t)lun, [32] = 0x2a };

	put32(bhs + 16, i->itt++);
	put32(bhs + 20, edtl);
	put32(bhs + 24, i->cmd_sn++);
	put32(bhs + 32 + 2, LBA);
	put16(bhs + 32 + 7, (uint16_t)(edtl / BLOCK));
	return ini_pdu(i, bhs, data, len);
}

/* data is that of the command, whose ITT was the last; from: where in it. */
static GByteArray *data_pdu(struct ini *i, bool final, uint32_t lun, uint32_t ttt, uint32_t sn, const uint8_t *data, uint32_t from,
			    uint32_t len)
{
	uint8_t bhs[BHS_LEN] = { OP_DATA_OUT, final ? FINAL : 0, [9] = (uint8_t)lun };

	put32(bhs + 16, i->itt - 1);
	put32(bhs + 20, ttt);
	put32(bhs + 36, sn);
	put32(bhs + 40, from);
	return ini_pdu(i, bhs, data + from, len);
}

/* In two parts, of which the server has the first before the second is sent; cut 0: at once. */
static void send_cut(struct ini *i, GByteArray *pdu, size_t cut)
{
	g_assert_cmpuint(cut, <, pdu->len);
	if (cut) {
		ini_send_raw(i, pdu->data, cut);
		ini_wait_taken(i);
	}
	ini_send_raw(i, pdu->data + cut, pdu->len - cut);
	g_byte_array_unref(pdu);
}

static uint32_t expect_r2t(struct ini *i, uint32_t from, uint32_t len)
{
	EXPECT_PDU(i, OP_R2T);
	g_assert_cmpuint(get32(i->bhs + 40), ==, from);
	g_assert_cmpuint(get32(i->bhs + 44), ==, len);
	return get32(i->bhs + 20);
}

/* ---- what is there ---- */

static uint8_t expected[2][LONG + 2 * BLOCK];	/* from LBA - 1 on */

static void read_blocks(struct ini *i, uint32_t lun, uint8_t *to, uint32_t len)
{
	uint8_t cdb[16] = { 0x28 };

	put32(cdb + 2, LBA - 1);
	put16(cdb + 7, (uint16_t)(len / BLOCK));
	g_assert_cmpuint(ini_finish_read(i, ini_command(i, FINAL | READ, lun, len, cdb, NULL, 0), to, len), ==, len);
	g_assert_cmphex(i->bhs[3], ==, 0);
}

/* What a command wrote, and the blocks before and behind it. */
static void expect_written(struct ini *i, uint32_t lun, const uint8_t *data, uint32_t len)
{
	uint8_t *want = expected[lun == MAPPED];
	g_autofree uint8_t *got = g_malloc(len + 2 * BLOCK);

	memcpy(want + BLOCK, data, len);
	read_blocks(i, lun, got, len + 2 * BLOCK);
	g_assert_cmpmem(got, len + 2 * BLOCK, want, len + 2 * BLOCK);
}

static void fill(uint8_t *data, uint32_t len)
{
	for (uint32_t n = 0; n < len; n += 4)
		put32(data + n, (uint32_t)g_test_rand_int());
}

static struct ini *log_in(const char *more)
{
	g_autofree char *text = g_strconcat(KEYS, more, NULL);
	struct ini *i = ini_new_login(server, 1, text);
	uint32_t itt = ini_test_unit_ready(i, MAPPED);

	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	read_blocks(i, RAM, expected[0], sizeof expected[0]);
	read_blocks(i, MAPPED, expected[1], sizeof expected[1]);
	return i;
}

/* ---- the tests ---- */

/* A segment of len bytes, cut: in the command itself, in Data-Out that follows it, or in what an R2T asks for. */
static void write_cut(struct ini *i, uint32_t lun, enum form form, uint32_t len, size_t cut)
{
	uint32_t head = form == BY_COMMAND ? 0 : HEAD, all = head + len + TAIL, ttt, itt;
	g_autofree uint8_t *data = g_malloc(all);

	fill(data, all);
	if (form == BY_COMMAND)
		send_cut(i, write_pdu(i, true, lun, all, data, len), cut);
	else
		send_cut(i, write_pdu(i, form == ASKED_FOR, lun, all, data, form == UNASKED ? head : 0), 0);
	itt = i->itt - 1;
	if (form == UNASKED)
		send_cut(i, data_pdu(i, true, lun, TAG_NONE, 0, data, head, len), cut);
	if (form == ASKED_FOR) {
		ttt = expect_r2t(i, 0, all);
		send_cut(i, data_pdu(i, false, lun, ttt, 0, data, 0, head), 0);
		send_cut(i, data_pdu(i, false, lun, ttt, 1, data, head, len), cut);
		send_cut(i, data_pdu(i, true, lun, ttt, 2, data, head + len, TAIL), 0);
	} else {
		ttt = expect_r2t(i, head + len, TAIL);
		send_cut(i, data_pdu(i, true, lun, ttt, 0, data, head + len, TAIL), 0);
	}
	EXPECT_STATUS(i, itt, 0);
	expect_written(i, lun, data, all);
}

static void test_edges(gconstpointer arg)
{
	static const uint32_t lens[] = { PLACE_MIN - BLOCK, PLACE_MIN, PLACE_MIN + BLOCK };
	struct ini *i = log_in(arg);
	const size_t header = BHS_LEN + (i->header_digest ? DIGEST_LEN : 0);

	for (unsigned n = 0; n < G_N_ELEMENTS(lens) * FORMS * 2; n++) {
		uint32_t len = lens[n % G_N_ELEMENTS(lens)], lun = n / G_N_ELEMENTS(lens) % 2 ? MAPPED : RAM;
		enum form form = n / G_N_ELEMENTS(lens) / 2;
		/* Behind the header, in the data, and where that has one, in its digest. */
		const size_t cuts[] = { 0, header, header + 1, header + len / 2, header + len - 1, header + len, header + len + 2 };

		for (unsigned k = 0; k < G_N_ELEMENTS(cuts) - (i->data_digest ? 0 : 2); k++) {
			g_test_message("LUN %u, form %d, %u bytes, cut after %zu", lun, form, len, cuts[k]);
			write_cut(i, lun, form, len, cuts[k]);
		}
	}
	ini_check(i);
	ini_free(i);
}

/* One after the other, as long, shorter and longer, each with the next one's first half behind its own second. */
static void test_in_a_row(gconstpointer arg)
{
	static const uint32_t lens[] = { PLACE_MIN, PLACE_MIN - BLOCK, PLACE_MIN + BLOCK, PLACE_MIN, 3 * PLACE_MIN, BLOCK, PLACE_MIN };
	struct ini *i = log_in(arg);
	g_autofree uint8_t *data = g_malloc(LONG);
	uint32_t all = 0, at = 0, ttt, itt;

	for (unsigned n = 0; n < G_N_ELEMENTS(lens); n++)
		all += lens[n];
	for (unsigned n = 0; n < 2; n++) {
		uint32_t lun = n ? MAPPED : RAM;
		GByteArray *bytes = g_byte_array_new();

		fill(data, all);
		send_cut(i, write_pdu(i, true, lun, all, NULL, 0), 0);
		itt = i->itt - 1;
		ttt = expect_r2t(i, 0, all);
		at = 0;
		for (unsigned k = 0; k < G_N_ELEMENTS(lens); k++) {
			GByteArray *pdu = data_pdu(i, at + lens[k] == all, lun, ttt, k, data, at, lens[k]);

			g_byte_array_append(bytes, pdu->data, pdu->len / 2);
			ini_send_raw(i, bytes->data, bytes->len);
			ini_wait_taken(i);
			g_byte_array_set_size(bytes, 0);
			g_byte_array_append(bytes, pdu->data + pdu->len / 2, pdu->len - pdu->len / 2);
			g_byte_array_unref(pdu);
			at += lens[k];
		}
		ini_send_raw(i, bytes->data, bytes->len);
		g_byte_array_unref(bytes);
		EXPECT_STATUS(i, itt, 0);
		expect_written(i, lun, data, all);
	}
	ini_check(i);
	ini_free(i);
}

/*
 * Behind a PDU that takes a longer buffer, and in it: what comes after the data, which does not go there, is looked for
 * where it is.
 */
static void test_behind_a_long_one(gconstpointer arg)
{
	enum { REST = 1000, FIRST = 3000, LEN = 2 * PLACE_MIN };
	struct ini *i = log_in(arg);
	g_autofree uint8_t *data = g_malloc(LONG);
	GByteArray *pdu, *next;
	uint32_t itt;

	fill(data, LONG);
	pdu = write_pdu(i, true, RAM, LONG, data, LONG);
	itt = i->itt - 1;
	ini_send_raw(i, pdu->data, pdu->len - REST);
	ini_wait_taken(i);
	/* With its end, all at once: a command, and a part of its data. */
	g_byte_array_remove_range(pdu, 0, pdu->len - REST);
	next = write_pdu(i, false, MAPPED, LEN + BLOCK, NULL, 0);
	g_byte_array_append(pdu, next->data, next->len);
	g_byte_array_unref(next);
	next = data_pdu(i, false, MAPPED, TAG_NONE, 0, data, 0, LEN);
	g_byte_array_append(pdu, next->data, FIRST);
	ini_send_raw(i, pdu->data, pdu->len);
	g_byte_array_unref(pdu);
	EXPECT_STATUS(i, itt, 0);
	ini_wait_taken(i);
	ini_send_raw(i, next->data + FIRST, next->len - FIRST);
	g_byte_array_unref(next);
	send_cut(i, data_pdu(i, true, MAPPED, TAG_NONE, 1, data, LEN, BLOCK), 0);
	EXPECT_STATUS(i, itt + 1, 0);
	expect_written(i, RAM, data, LONG);
	expect_written(i, MAPPED, data, LEN + BLOCK);
	ini_check(i);
	ini_free(i);
}

static void mapped_add(const char *path)
{
	g_autofree char *dir = g_test_build_filename(G_TEST_BUILT, "../plugins/mmap/.libs", NULL);
	g_autofree char *bytes = g_malloc0(BYTES);
	const char *settings[] = { "path", path, NULL };
	struct lun_conf conf = { 0 };
	GError *error = NULL;
	struct device *dev;
	struct module *m;

	g_file_set_contents(path, bytes, BYTES, &error);
	g_assert_no_error(error);
	m = module_load(dir, "mmap", &device_host, &error);
	g_assert_no_error(error);
	dev = device_open(server->engine, m, "mapped", settings, false, &error);
	g_assert_no_error(error);
	target_add_lun(server->scsi, MAPPED, dev, &conf, &error);
	g_assert_no_error(error);
}

int main(int argc, char **argv)
{
	g_autofree char *path = NULL;
	GError *error = NULL;
	int rc;

	server_begin(&argc, &argv);
	close(g_file_open_tmp("gotgt-XXXXXX", &path, &error));
	g_assert_no_error(error);
	mapped_add(path);
	for (unsigned n = 0; n < G_N_ELEMENTS(digests); n++) {
		g_autofree char *edges = g_strdup_printf("/wire/place/edges/%u", n), *row = g_strdup_printf("/wire/place/in-a-row/%u", n),
				*behind = g_strdup_printf("/wire/place/behind-a-long-one/%u", n);

		g_test_add_data_func(edges, digests[n], test_edges);
		g_test_add_data_func(row, digests[n], test_in_a_row);
		g_test_add_data_func(behind, digests[n], test_behind_a_long_one);
	}
	rc = g_test_run();
	target_remove_lun(server->scsi, MAPPED, NULL, NULL);
	server_free(server);
	g_unlink(path);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* READs sent from lent memory that goes away under them: a mapped file that shrinks. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <gotgt/ext-memory.h>
#include "ini.h"

enum { LENT = 2, PLAIN = 0, BYTES = 4 << 20, MODE_BYTES = 16 };

/* LUN 2, on a file of random bytes. */
struct disk {
	char *path;
	uint8_t *bytes;
};

/* ---- a plugin that lends its file in pieces, and is never asked whether it is still there ---- */

static int pieces_open(struct gotgt_lun *lun, const void *conf, struct gotgt_dev_info *info, void **dev)
{
	const char *const *path = conf;
	int fd = open(*path, O_RDONLY | O_CLOEXEC);

	*info = (struct gotgt_dev_info){ .size = BYTES, .block_size = BLOCK, .flags = GOTGT_DEV_READ_ONLY };
	*dev = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return *dev == MAP_FAILED ? -errno : 0;
}

static void pieces_close(void *dev)
{
	munmap(dev, BYTES);
}

/* Only asked when what it lent was gone, or too much at once. */
static void pieces_submit(void *dev, struct gotgt_io *io)
{
	device_host.io_done(io, GOTGT_ERR_IO);
}

static uint32_t pieces_lend(void *dev, uint64_t offset, uint64_t length, int write, struct iovec *iov, uint32_t iovmax)
{
	uint32_t n = 0;

	for (; n < iovmax && n * BLOCK < length; n++)
		iov[n] = (struct iovec){ (uint8_t *)dev + offset + n * BLOCK, BLOCK };
	return n * BLOCK == length ? n : 0;
}

static const void *pieces_extension(const char *id)
{
	static const struct gotgt_memory memory = { .size = sizeof memory, .lend = pieces_lend };

	return strcmp(id, GOTGT_EXT_MEMORY) ? NULL : &memory;
}

/* The same, and it says that it cannot go. */
static const void *stays_extension(const char *id)
{
	static const struct gotgt_memory memory = {
		.size = sizeof memory, .flags = GOTGT_MEMORY_STAYS, .lend = pieces_lend,
	};

	return strcmp(id, GOTGT_EXT_MEMORY) ? NULL : &memory;
}

/* The same, and no byte of it changes; and one that says only that. */
static const void *constant_extension(const char *id)
{
	static const struct gotgt_memory memory = {
		.size = sizeof memory, .flags = GOTGT_MEMORY_STAYS | GOTGT_MEMORY_CONSTANT, .lend = pieces_lend,
	};

	return strcmp(id, GOTGT_EXT_MEMORY) ? NULL : &memory;
}

static const void *may_go_extension(const char *id)
{
	static const struct gotgt_memory memory = {
		.size = sizeof memory, .flags = GOTGT_MEMORY_CONSTANT, .lend = pieces_lend,
	};

	return strcmp(id, GOTGT_EXT_MEMORY) ? NULL : &memory;
}

static const struct gotgt_param pieces_params[] = {
	{ .name = "path", .type = GOTGT_PARAM_STRING, .help = "file" }, { NULL },
};

#define MODULE(NAME, EXTENSION) { \
	.path = (char *)(NAME), \
	.ops = { .abi = GOTGT_ABI, .size = sizeof(struct gotgt_plugin), .name = (NAME), .version = "1", \
		 .description = "a file in pieces", .conf_size = sizeof(char *), .params = pieces_params, \
		 .open = pieces_open, .close = pieces_close, .submit = pieces_submit, .extension = (EXTENSION) }, \
}
static const struct module pieces = MODULE("pieces", pieces_extension), stays = MODULE("stays", stays_extension),
			   constant = MODULE("constant", constant_extension), may_go = MODULE("may-go", may_go_extension);

/* ---- the LUN ---- */

static const struct module *module_of(const char *name)
{
	g_autofree char *dir = g_test_build_filename(G_TEST_BUILT, "../plugins", name, ".libs", NULL);
	GError *error = NULL;
	struct module *m = module_load(dir, name, &device_host, &error);

	g_assert_no_error(error);
	return m;
}

static void random_bytes(uint8_t *at, size_t len)
{
	for (size_t n = 0; n < len; n++)
		at[n] = (uint8_t)(g_test_rand_int() | 1);	/* none is 0 */
}

static void disk_add(struct disk *d, const struct module *m)
{
	const char *settings[] = { "path", NULL, NULL };
	struct lun_conf conf = { 0 };
	GError *error = NULL;
	struct device *dev;

	d->bytes = g_malloc(BYTES);
	random_bytes(d->bytes, BYTES);
	close(g_file_open_tmp("gotgt-XXXXXX", &d->path, &error));
	g_assert_no_error(error);
	g_file_set_contents(d->path, (const char *)d->bytes, BYTES, &error);
	g_assert_no_error(error);
	settings[1] = d->path;
	dev = device_open(server->engine, m, "lent", settings, false, &error);
	g_assert_no_error(error);
	target_add_lun(server->scsi, LENT, dev, &conf, &error);
	g_assert_no_error(error);
}

static void disk_remove(struct disk *d)
{
	target_remove_lun(server->scsi, LENT, NULL, NULL);
	g_unlink(d->path);
	g_free(d->path);
	g_free(d->bytes);
}

static uint32_t read_from(struct ini *i, uint32_t lun, uint32_t lba, uint16_t blocks)
{
	uint8_t cdb[16] = { 0x28 };

	put32(cdb + 2, lba);
	put16(cdb + 7, blocks);
	return ini_command(i, FINAL | READ, lun, blocks * BLOCK, cdb, NULL, 0);
}

static struct ini *log_in(const char *offer, bool tcp)
{
	struct ini *i = tcp ? ini_new_tcp(server, 1) : ini_new(server, 1);
	uint32_t itt;

	ini_login(i, offer);
	itt = ini_test_unit_ready(i, LENT);
	EXPECT_SENSE(i, itt, KEY_UNIT_ATTENTION, 0x29);
	return i;
}

/* Sense data in descriptor format (SPC-5 8.4.8), which is shorter. */
static void choose_descriptors(struct ini *i)
{
	uint8_t cdb[16] = { 0x1a, 0x08, 0x0a, 0, 255 }, page[MODE_BYTES];
	uint32_t itt = ini_command(i, FINAL | READ, LENT, sizeof page, cdb, NULL, 0);

	g_assert_cmpuint(ini_finish_read(i, itt, page, sizeof page), ==, sizeof page);
	page[0] = 0;
	page[4 + 2] |= 0x04;
	cdb[0] = 0x15;
	cdb[1] = 0x10;
	cdb[2] = 0;
	cdb[4] = sizeof page;
	itt = ini_command(i, FINAL | WRITE, LENT, sizeof page, cdb, page, sizeof page);
	EXPECT_STATUS(i, itt, 0);
}

/* The bytes are gone: who meets that has a medium error, the next is told of the new size, later ones are beyond it. */
static void expect_gone(const struct ini *i, bool descriptors)
{
	static const uint8_t codes[][3] = { { KEY_MEDIUM_ERROR, 0x11, 0x00 }, { KEY_UNIT_ATTENTION, 0x2a, 0x09 },
					    { KEY_ILLEGAL_REQUEST, 0x21, 0x00 } };
	const uint8_t *sense = i->data + 2;
	bool known = false;

	g_assert_cmphex(i->bhs[0], ==, OP_SCSI_RESPONSE);
	g_assert_cmphex(i->bhs[1] & FINAL, ==, FINAL);
	g_assert_cmphex(i->bhs[2], ==, 0);
	g_assert_cmphex(i->bhs[3], ==, 2);
	g_assert_cmpuint(i->data_len, ==, descriptors ? 2 + 8 : 2 + 18);
	g_assert_cmpuint(get16(i->data), ==, i->data_len - 2);
	g_assert_cmphex(sense[0], ==, descriptors ? 0x72 : 0x70);
	for (unsigned n = 0; n < G_N_ELEMENTS(codes); n++)
		known |= sense[descriptors ? 1 : 2] == codes[n][0] && sense[descriptors ? 2 : 12] == codes[n][1] &&
			 sense[descriptors ? 3 : 13] == codes[n][2];
	g_assert_true(known);
}

static uint32_t inquiry(struct ini *i)
{
	static const uint8_t cdb[16] = { 0x12, 0, 0, 0, 36 };

	return ini_command(i, FINAL | READ, PLAIN, 36, cdb, NULL, 0);
}

/* All that was sent has been taken: the answers to it wait to be sent. */
static void wait_queued(struct ini *i, bool one)
{
	struct pollfd answer = { .fd = i->fd, .events = POLLIN };

	if (one) {	/* may be so many PDUs that nothing more is taken */
		g_assert_cmpint(poll(&answer, 1, 20000), ==, 1);
		return;
	}
	ram_hold();
	read_from(i, PLAIN, 0, 1);
	ram_wait_held(1);
}

/* What one READ of the file gets: all of it, or an error after bytes of the file and zeroes.  True: all. */
static bool finish_lent(struct ini *i, uint32_t itt, const uint8_t *want, uint32_t len, bool descriptors)
{
	g_autofree uint8_t *got = g_malloc(len);
	uint32_t came = ini_finish_read(i, itt, got, len), same = 0;

	EXPECT_RESIDUAL(i, came < len ? FLAG_UNDERFLOW : 0, len - came);
	while (same < came && got[same] == want[same])
		same++;
	if (i->bhs[3] == 0) {
		g_assert_cmpuint(same, ==, len);
		return true;
	}
	expect_gone(i, descriptors);
	for (uint32_t n = same; n < came; n++)
		g_assert_true(got[n] == 0 || got[n] == want[n]);
	return false;
}

struct shrink {
	const char *keys;
	unsigned reads;
	uint16_t blocks;	/* of each READ */
	off_t left;		/* bytes of the file */
	bool beside;		/* an answer that is not lent after each */
	bool descriptors;
	bool tcp;
	bool pieces;
	bool file;		/* that plugin, and all of it in the page cache, and known to be */
};

/* READs more than a socket holds, the file cut, and only then the answers are taken. */
static void shrink(const struct shrink *s)
{
	const uint32_t len = s->blocks * BLOCK;
	uint32_t itt[128], failed = 0, lent = 0;
	uint8_t plain[BLOCK], got[BLOCK];
	struct disk d;
	struct ini *i;

	g_test_message("%s %u READs of %u bytes, %ld left", s->keys, s->reads, len, (long)s->left);
	g_assert_cmpuint(s->reads, <=, G_N_ELEMENTS(itt));
	disk_add(&d, s->pieces ? &pieces : module_of(s->file ? "file" : "mmap"));
	i = log_in(s->keys, s->tcp);
	for (unsigned n = 0; s->file && n < 3; n++)
		g_assert_true(finish_lent(i, read_from(i, LENT, 0, BYTES / BLOCK - 1), d.bytes, BYTES - BLOCK, s->descriptors));
	if (s->descriptors)
		choose_descriptors(i);
	g_assert_cmpuint(ini_finish_read(i, inquiry(i), plain, sizeof plain), ==, 36);
	for (unsigned n = 0; n < s->reads; n++) {
		itt[n] = read_from(i, LENT, n * len % BYTES / BLOCK, s->blocks);
		if (s->beside)
			inquiry(i);
	}
	wait_queued(i, s->reads == 1);
	g_assert_cmpint(truncate(d.path, s->left), ==, 0);
	for (unsigned n = 0; n < s->reads; n++) {
		failed += !finish_lent(i, itt[n], d.bytes + n * len % BYTES, len, s->descriptors);
		lent += i->bhs[0] == OP_SCSI_RESPONSE;	/* and not status with the data: answer.c */
		if (s->beside) {
			g_assert_cmpuint(ini_finish_read(i, itt[n] + 1, got, sizeof got), ==, 36);
			g_assert_cmphex(i->bhs[3], ==, 0);
			g_assert_cmpmem(got, 36, plain, 36);
		}
	}
	if (s->reads > 1) {
		ram_release();
		g_assert_cmpuint(ini_finish_read(i, i->itt - 1, got, sizeof got), ==, BLOCK);
	}
	/* Data that must have its digest is read before it is queued; file knows for two seconds what is there. */
	if (!i->data_digest && !(s->file && lent < s->reads))
		g_assert_cmpuint(failed, >, 0);

	/* Nothing else ends for it. */
	ini_check(i);
	finish_lent(i, read_from(i, LENT, BYTES / BLOCK - 1, 1), d.bytes, BLOCK, s->descriptors);
	expect_gone(i, s->descriptors);
	ini_check(i);
	ini_free(i);
	disk_remove(&d);
}

static void test_large(void)
{
	static const struct shrink rows[] = {
		{ "", 1, 2048, 0 },
		{ "", 1, 2048, 300000 },
		{ "HeaderDigest=CRC32C;", 1, 2048, 0 },
		{ "MaxRecvDataSegmentLength=1048576;MaxBurstLength=1048576;", 4, 2048, 0 },
		{ "HeaderDigest=CRC32C;MaxRecvDataSegmentLength=1048576;", 4, 2048, 1500000 },
		/* More PDUs than a transmit block holds. */
		{ "MaxRecvDataSegmentLength=512;", 1, 2048, 0 },
		{ "HeaderDigest=CRC32C;MaxRecvDataSegmentLength=1001;MaxBurstLength=3003;", 1, 2048, 300000 },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		shrink(&rows[n]);
}

static void test_small(void)
{
	static const struct shrink rows[] = {
		{ "", 120, 16, 0 },
		{ "HeaderDigest=CRC32C;", 120, 16, 4096 },
		{ "HeaderDigest=CRC32C;", 60, 16, 4096, .beside = true },
		{ "MaxRecvDataSegmentLength=512;", 50, 16, 0, .beside = true },
		{ "", 60, 64, 0, .beside = true },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		shrink(&rows[n]);
}

static void test_tcp(void)
{
	static const struct shrink rows[] = {
		/* Where sockets hold much. */
		{ "MaxRecvDataSegmentLength=262144;", 24, 2048, 0, .tcp = true },
		{ "HeaderDigest=CRC32C;MaxRecvDataSegmentLength=262144;", 24, 2048, 700000, .tcp = true },
		{ "HeaderDigest=CRC32C;MaxRecvDataSegmentLength=65536;", 24, 2048, 0, .tcp = true, .beside = true },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		shrink(&rows[n]);
}

static void test_descriptors(void)
{
	static const struct shrink rows[] = {
		{ "", 4, 2048, 0, .descriptors = true },
		{ "HeaderDigest=CRC32C;", 120, 16, 0, .descriptors = true },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		shrink(&rows[n]);
}

static void test_pieces(void)
{
	static const struct shrink rows[] = {
		{ "", 120, 16, 0, .pieces = true },
		{ "HeaderDigest=CRC32C;", 120, 16, 200000, .pieces = true },
		{ "HeaderDigest=CRC32C;MaxRecvDataSegmentLength=1001;", 60, 16, 0, .pieces = true, .beside = true },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		shrink(&rows[n]);
}

/* Of the plugin "file", which lends what the page cache has; this is of a file that was just written. */
static void test_file(void)
{
	static const struct shrink rows[] = {
		{ "", 4, 2048, 0, .file = true },
		{ "HeaderDigest=CRC32C;", 120, 16, 4096, .file = true },
		{ "MaxRecvDataSegmentLength=262144;", 24, 2048, 700000, .file = true, .tcp = true, .beside = true },
		{ "DataDigest=CRC32C;", 1, 2048, 0, .file = true },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		shrink(&rows[n]);
}

/* A digest has to see the bytes: data that may change is not lent. */
static void test_data_digest(void)
{
	static const struct shrink rows[] = {
		{ "DataDigest=CRC32C;", 1, 2048, 0 },
		{ "HeaderDigest=CRC32C;DataDigest=CRC32C;MaxRecvDataSegmentLength=1001;", 1, 2048, 0 },
	};

	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++)
		shrink(&rows[n]);
}

/* What does not change is lent to who wants digests, too (submit() only fails); what may go is not. */
static void test_constant(void)
{
	static const struct { const char *offer; uint16_t blocks; } rows[] = {
		{ "DataDigest=CRC32C;", 16 }, { "DataDigest=CRC32C;", 1 },
		{ "HeaderDigest=CRC32C;DataDigest=CRC32C;MaxRecvDataSegmentLength=1001;MaxBurstLength=3003;", 16 },
		{ "DataDigest=CRC32C;MaxRecvDataSegmentLength=262144;", 15 }, { "", 16 },
	};
	uint8_t got[16 * BLOCK];
	struct disk d;
	struct ini *i;

	disk_add(&d, &constant);
	for (unsigned n = 0; n < G_N_ELEMENTS(rows); n++) {
		const uint32_t len = rows[n].blocks * BLOCK;

		i = log_in(rows[n].offer, false);
		g_assert_cmpuint(ini_finish_read(i, read_from(i, LENT, 3, rows[n].blocks), got, len), ==, len);
		g_assert_cmphex(i->bhs[3], ==, 0);
		g_assert_cmpmem(got, len, d.bytes + 3 * BLOCK, len);
		ini_check(i);
		ini_free(i);
	}
	disk_remove(&d);
	disk_add(&d, &may_go);
	i = log_in("DataDigest=CRC32C;", false);
	ini_finish_read(i, read_from(i, LENT, 3, 16), got, sizeof got);
	g_assert_cmphex(i->bhs[3], ==, 2);
	ini_free(i);
	disk_remove(&d);
}

/* Who asked is gone before the answer is. */
static void test_gone(void)
{
	struct disk d;
	struct ini *i;

	disk_add(&d, module_of("mmap"));
	i = log_in("", false);
	read_from(i, LENT, 0, 2048);
	wait_queued(i, true);
	g_assert_cmpint(truncate(d.path, 0), ==, 0);
	ini_free(i);
	disk_remove(&d);	/* once no command uses it */
	i = ini_new_login(server, 1, "");
	ini_check(i);
	ini_free(i);
}

/* What cannot go has its status with the last of its data.  When it goes all the same nobody takes anything else for it. */
static void test_stays(void)
{
	static const char *const offers[] = {
		"", "HeaderDigest=CRC32C;", "MaxRecvDataSegmentLength=1001;MaxBurstLength=3003;HeaderDigest=CRC32C;",
		"DataDigest=CRC32C;",
	};
	const uint32_t len = 16 * BLOCK;
	uint8_t got[16 * BLOCK];
	struct disk d;
	size_t all_len = 120 * (BHS_LEN + len), came = 0;
	g_autofree uint8_t *all = g_malloc(all_len);
	struct ini *i;
	uint32_t itt;
	ssize_t n;

	disk_add(&d, &stays);
	for (unsigned k = 0; k < G_N_ELEMENTS(offers); k++) {
		i = log_in(offers[k], false);
		itt = read_from(i, LENT, 3, 16);
		if (i->data_digest) {	/* not lent, and its submit() only fails */
			ini_finish_read(i, itt, got, len);
			g_assert_cmphex(i->bhs[3], ==, 2);
		} else {
			g_assert_cmpuint(ini_finish_read(i, itt, got, len), ==, len);
			g_assert_cmpmem(got, len, d.bytes + 3 * BLOCK, len);
			g_assert_cmphex(i->bhs[0], ==, OP_DATA_IN);
			g_assert_cmphex(i->bhs[1], ==, FINAL | 1);
			g_assert_cmphex(i->bhs[3], ==, 0);
		}
		ini_check(i);
		ini_free(i);
	}
	i = log_in("", false);
	for (unsigned k = 0; k < 120; k++)
		read_from(i, LENT, k * 16, 16);
	wait_queued(i, true);
	g_assert_cmpint(truncate(d.path, 0), ==, 0);
	while ((n = read(i->fd, all + came, all_len - came)) > 0)
		came += (size_t)n;
	g_assert_cmpuint(came, <, all_len);
	for (uint32_t at = 0, k = 0; at + BHS_LEN + len <= came; at += BHS_LEN + len, k++) {
		g_assert_cmphex(all[at], ==, OP_DATA_IN);
		g_assert_cmpmem(all + at + BHS_LEN, len, d.bytes + k * len, len);
	}
	ini_free(i);
	/* Others go on, and nothing is lent there any more. */
	i = ini_new_login(server, 1, "");
	ini_check(i);
	ini_finish_read(i, read_from(i, LENT, 3, 16), got, len);
	g_assert_cmphex(i->bhs[3], ==, 2);
	ini_free(i);
	disk_remove(&d);
}

/* A READ whose data still waits to be sent is older than an ORDERED WRITE (SAM-5 8.6.3): it tells what was there before. */
static void test_ordered(void)
{
	static const unsigned n_reads = 3;
	const uint32_t len = 2048 * BLOCK;
	uint8_t cdb[16] = { 0x2a, 0, 0, 0, 0, 0, 0, 0, 8 }, data[8 * BLOCK] = { 0 }, got[sizeof data];
	uint32_t reads[3], write, later, held;
	struct disk d;
	struct ini *i;

	disk_add(&d, module_of("mmap"));
	i = log_in("MaxRecvDataSegmentLength=262144;", false);
	for (unsigned n = 0; n < n_reads; n++)
		reads[n] = read_from(i, LENT, n * len / BLOCK, 2048);
	put32(cdb + 2, (n_reads - 1) * len / BLOCK);
	write = ini_command(i, FINAL | WRITE | ORDERED, LENT, sizeof data, cdb, data, sizeof data);
	later = read_from(i, LENT, get32(cdb + 2), 8);
	held = i->itt;
	wait_queued(i, false);
	for (unsigned n = 0; n < n_reads; n++)
		g_assert_true(finish_lent(i, reads[n], d.bytes + n * len, len, false));
	EXPECT_STATUS(i, write, 0);
	g_assert_cmpuint(ini_finish_read(i, later, got, sizeof got), ==, sizeof got);
	g_assert_cmpmem(got, sizeof got, data, sizeof data);
	ram_release();
	g_assert_cmpuint(ini_finish_read(i, held, got, sizeof got), ==, BLOCK);
	ini_check(i);
	/* Who has gone takes those along that waited behind what it did not take. */
	read_from(i, LENT, 0, 2048);
	ini_command(i, FINAL | WRITE | ORDERED, LENT, sizeof data, cdb, data, sizeof data);
	wait_queued(i, true);
	ini_free(i);
	disk_remove(&d);
}

int main(int argc, char **argv)
{
	server_begin(&argc, &argv);
	g_test_add_func("/wire/lent/large", test_large);
	g_test_add_func("/wire/lent/small", test_small);
	g_test_add_func("/wire/lent/pieces", test_pieces);
	g_test_add_func("/wire/lent/file", test_file);
	g_test_add_func("/wire/lent/tcp", test_tcp);
	g_test_add_func("/wire/lent/descriptors", test_descriptors);
	g_test_add_func("/wire/lent/data-digest", test_data_digest);
	g_test_add_func("/wire/lent/stays", test_stays);
	g_test_add_func("/wire/lent/constant", test_constant);
	g_test_add_func("/wire/lent/gone", test_gone);
	g_test_add_func("/wire/lent/ordered", test_ordered);
	return server_run();
}

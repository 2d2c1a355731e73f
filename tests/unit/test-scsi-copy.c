/* SPDX-License-Identifier: Apache-2.0 */
/* EXTENDED COPY(LID1) and RECEIVE COPY RESULTS: what is refused, what is copied, what is told of it. */
#include "config.h"
#include "scsi-rig.h"
#include "scsi/copy.h"

#define BS 512u

static struct { struct target *target; struct device *dev, *big; struct lun *lun, *big_lun; struct nexus *nexus; } other;

/* Of another target, one like rig.lun and one with blocks of 4096 bytes. */
static void add_others(void)
{
	struct lun_conf conf = { .serial = "other" }, big = { .serial = "big", .block_size = 4096 };
	GError *error = NULL;

	other.target = target_new(rig.engine, "iqn.2024-01.org.gotgt:other");
	other.dev = fake_new(RIG_BLOCKS * 512ull, 512, GOTGT_DEV_WRITE_CACHE, RIG_OPS);
	other.big = fake_new(64 * 4096, 512, 0, RIG_OPS);
	other.lun = target_add_lun(other.target, 3, other.dev, &conf, &error);
	g_assert_no_error(error);
	other.big_lun = target_add_lun(other.target, 4, other.big, &big, &error);
	g_assert_no_error(error);
}

static void remove_others(void)
{
	target_remove_lun(other.target, 3, NULL, NULL);	/* hangs when a hold is left */
	target_remove_lun(other.target, 4, NULL, NULL);
	target_free(other.target);
	fake_free(other.dev);
	fake_free(other.big);
}

/* The initiator of rig.a is logged in there too. */
static void log_in_there(void)
{
	other.nexus = nexus_new(other.target, rig.r, "iqn.x:a,i,0x7", 1, 1);
}

/* ---- parameter lists ---- */

static struct { uint8_t at[16384]; size_t cscds, segments; } list;

static void begin_list(uint8_t id, enum list_id_usage usage)
{
	memset(&list, 0, sizeof list);
	list.at[0] = id;
	list.at[1] = (uint8_t)(usage << 3);
}

/* By NAA; after it no segment may have been added. */
static uint8_t *add_cscd(const struct lun *lun)
{
	uint8_t *d = list.at + COPY_HEADER + list.cscds;
	struct lun_identity id;

	lun_get_identity((struct lun *)lun, &id);
	d[0] = CSCD_IDENTIFICATION;
	d[4] = 1;
	d[5] = 3;
	d[7] = 8;
	put_be64(d + 8, lun_naa(&id));
	put_be24(d + 29, lun->block_size);
	list.cscds += CSCD_LEN;
	return d;
}

static uint8_t *add_segment(uint16_t from, uint16_t to, uint16_t blocks, uint64_t from_lba, uint64_t to_lba)
{
	uint8_t *d = list.at + COPY_HEADER + list.cscds + list.segments;

	d[0] = SEGMENT_BLOCK_TO_BLOCK;
	put_be16(d + 2, SEGMENT_LEN - 4);
	put_be16(d + 4, from);
	put_be16(d + 6, to);
	put_be16(d + 10, blocks);
	put_be64(d + 12, from_lba);
	put_be64(d + 20, to_lba);
	list.segments += SEGMENT_LEN;
	return d;
}

static void send_bytes(size_t len)
{
	uint8_t cdb[16] = { OP_THIRD_PARTY_COPY_OUT };

	put_be32(cdb + 10, (uint32_t)len);
	rig_send(cdb, sizeof cdb, list.at, (uint32_t)len, 0);
}

static size_t finish_list(void)
{
	put_be16(list.at + 2, (uint16_t)list.cscds);
	put_be32(list.at + 8, (uint32_t)list.segments);
	return COPY_HEADER + list.cscds + list.segments;
}

static void send_list(void)
{
	send_bytes(finish_list());
}

static void one_segment(uint16_t blocks, uint64_t from_lba, uint64_t to_lba)
{
	begin_list(1, LIST_ID_HOLD);
	add_cscd(rig.lun);
	add_segment(0, 0, blocks, from_lba, to_lba);
}

/* The segment number and the field pointer of fixed sense. */
static void assert_segment(unsigned segment, int byte)
{
	g_assert_cmpuint(get_be16(res.sense + 10), ==, segment);
	if (byte >= 0) {
		g_assert_cmpuint(res.sense[15], ==, 0xa0);	/* SKSV, SD */
		g_assert_cmpuint(get_be16(res.sense + 16), ==, byte);
	}
}

static void receive(uint8_t sa, uint8_t id, uint32_t len)
{
	uint8_t cdb[16] = { OP_THIRD_PARTY_COPY_IN, sa, id };

	put_be32(cdb + 10, len);
	rig_send(cdb, sizeof cdb, NULL, 0, len);
}

static void fill_ram(struct device *dev, unsigned seed)
{
	for (size_t i = 0; i < dev->info.size; i++)
		dev->ram[i] = (uint8_t)(i / BS * 7 + i + seed);
}

/* ---- what is refused ---- */

static void test_header(void)
{
	size_t len;

	SEND(0, OP_THIRD_PARTY_COPY_OUT);	/* nothing asked for */
	assert_good();
	SEND(0, OP_THIRD_PARTY_COPY_OUT, 1);
	assert_cdb_field(1, 4);
	one_segment(1, 0, 1);
	len = finish_list();
	for (size_t n = 1; n < len; n++) {
		send_bytes(n);
		assert_sense(PARAMETER_LIST_LENGTH);
	}
	send_bytes(COPY_HEADER + COPY_LIST_MAX + 1);
	assert_sense(PARAMETER_LIST_LENGTH);
	list.at[1] = 1 << 3;
	send_bytes(len);
	assert_param_field(1, 4);
	list.at[1] = LIST_ID_NONE << 3;
	send_bytes(len);
	assert_param_field(0, -1);
	list.at[0] = list.at[1] = 0;
	put_be32(list.at + 12, 4);
	send_bytes(len);
	assert_sense(INLINE_DATA);
	put_be32(list.at + 12, 0);
	put_be16(list.at + 2, 31);
	send_bytes(len);
	assert_param_field(2, -1);
	g_assert_cmpuint(rig.dev->submits, ==, 0);
}

static void test_descriptors(void)
{
	one_segment(1, 0, 1);
	list.at[COPY_HEADER] = 0xe0;
	send_list();
	assert_sense(CSCD_TYPE);
	one_segment(1, 0, 1);
	list.at[COPY_HEADER + CSCD_LEN] = 0x03;
	send_list();
	assert_sense(SEGMENT_TYPE);
	one_segment(1, 0, 1);
	list.at[COPY_HEADER + CSCD_LEN + 3]++;
	send_list();
	assert_param_field(COPY_HEADER + CSCD_LEN + 2, -1);
	one_segment(1, 0, 1);
	list.at[COPY_HEADER + 30]++;
	send_list();
	assert_param_field(COPY_HEADER + 29, -1);

	begin_list(0, LIST_ID_HOLD);
	for (unsigned i = 0; i <= COPY_CSCDS_MAX; i++)
		add_cscd(rig.lun);
	add_segment(0, 0, 1, 0, 1);
	send_list();
	assert_sense(TOO_MANY_CSCDS);
	begin_list(0, LIST_ID_HOLD);
	add_cscd(rig.lun);
	for (unsigned i = 0; i <= COPY_SEGMENTS_MAX; i++)
		add_segment(0, 0, 1, 0, 1);
	send_list();
	assert_sense(TOO_MANY_SEGMENTS);
	g_assert_cmpuint(rig.dev->submits, ==, 0);
}

static void test_unreachable(void)
{
	uint8_t *d;

	one_segment(1, 0, 1);
	put_be16(list.at + COPY_HEADER + CSCD_LEN + 6, 1);
	send_list();
	assert_sense(COPY_UNREACHABLE);
	assert_segment(0, 6);
	g_assert_cmpuint(get_be32(res.sense + 3), ==, 1);	/* INFORMATION: what was not copied */

	begin_list(1, LIST_ID_HOLD);
	add_cscd(rig.lun);
	d = add_cscd(rig.lun);
	d[15]++;
	add_segment(0, 0, 1, 0, 1);
	add_segment(1, 0, 1, 0, 1);
	send_list();
	assert_sense(COPY_DEVICE_NOT_REACHABLE);
	assert_segment(1, 4);

	one_segment(1, 0, 1);
	list.at[COPY_HEADER + 1] = 1;	/* a tape */
	send_list();
	assert_sense(COPY_DEVICE_TYPE);
	assert_segment(0, 4);
}

static void test_range_and_state(void)
{
	one_segment(2, RIG_BLOCKS - 1, 0);
	send_list();
	assert_sense(COPY_ABORTED);
	assert_segment(0, 12);
	one_segment(2, 0, UINT64_MAX);
	send_list();
	assert_sense(COPY_ABORTED);
	assert_segment(0, 20);

	lun_set_state(rig.lun, 0, LUN_READ_ONLY);
	one_segment(1, 0, 1);
	send_list();
	assert_sense(COPY_DEVICE_FAILURE);
	assert_segment(0, -1);
	g_assert_cmpuint(res.sense[8], ==, 0);
	g_assert_cmpuint(res.sense[9], ==, 18);	/* the destination's status and sense */
	g_assert_cmpuint(res.sense[18], ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(res.sense[18 + 1 + 2], ==, KEY_DATA_PROTECT);
	g_assert_cmpuint(res.sense[7] + 8u, ==, res.sense_len);
	lun_set_state(rig.lun, LUN_READ_ONLY, LUN_D_SENSE);

	rig.dev->fail = GOTGT_ERR_IO;
	rig.dev->fail_op = GOTGT_OP_READ;
	send_list();
	assert_sense(COPY_DEVICE_FAILURE);
	g_assert_cmpuint(res.sense[7] + 8u, ==, res.sense_len);
	g_assert_cmpuint(res.sense[8], ==, 0x00);	/* information, command specific, forwarded */
	g_assert_cmpuint(res.sense[20], ==, 0x01);
	g_assert_cmpuint(res.sense[32], ==, 0x0c);
	g_assert_cmpuint(res.sense[34], ==, 1);	/* the source's */
	g_assert_cmpuint(res.sense[35], ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(res.sense[37], ==, KEY_MEDIUM_ERROR);
	lun_set_state(rig.lun, LUN_D_SENSE, 0);
	rig.dev->fail = GOTGT_OK;
	lun_set_state(rig.lun, 0, LUN_STOPPED);
	send_list();
	assert_sense(COPY_DEVICE_FAILURE);
	g_assert_cmpuint(res.sense[8], ==, 18);
	lun_set_state(rig.lun, LUN_STOPPED, 0);
	send_list();
	assert_good();
}

/* ---- what is copied ---- */

static void test_within(void)
{
	g_autofree uint8_t *before = g_malloc(rig.dev->info.size);

	for (int way = WAY_FROM; way <= WAY_PLACE; way++) {
		rig.way = way;
		fill_ram(rig.dev, (unsigned)way);
		memcpy(before, rig.dev->ram, rig.dev->info.size);
		begin_list(1, LIST_ID_HOLD);
		add_segment(CSCD_ID_THIS, CSCD_ID_THIS, 3, 10, 2000);
		add_segment(CSCD_ID_THIS, CSCD_ID_THIS, 0, 10, RIG_BLOCKS);
		add_segment(CSCD_ID_THIS, CSCD_ID_THIS, 1, 2002, 5);
		send_list();
		assert_good();
		g_assert_cmpmem(rig.dev->ram + 2000 * BS, 3 * BS, before + 10 * BS, 3 * BS);
		g_assert_cmpmem(rig.dev->ram + 2003 * BS, BS, before + 2003 * BS, BS);
		g_assert_cmpmem(rig.dev->ram + 5 * BS, BS, before + 12 * BS, BS);
	}
	/* Overlapping, either way. */
	for (int to = 99; to <= 101; to += 2) {
		memcpy(before, rig.dev->ram, rig.dev->info.size);
		one_segment(700, 100, (uint64_t)to);
		send_list();
		assert_good();
		g_assert_cmpmem(rig.dev->ram + (unsigned)to * BS, 700 * BS, before + 100 * BS, 700 * BS);
	}
}

static void test_other_target(void)
{
	g_assert_true(lun_state(other.lun) & LUN_CACHE);
	fill_ram(rig.dev, 3);
	begin_list(1, LIST_ID_HOLD);
	add_cscd(rig.lun);
	add_cscd(other.lun);
	add_segment(0, 1, 9, 1, 7);
	lun_set_state(other.lun, LUN_WCE, 0);
	log_in_there();
	send_list();
	assert_good();
	g_assert_cmpmem(other.dev->ram + 7 * BS, 9 * BS, rig.dev->ram + BS, 9 * BS);
	g_assert_cmpuint(other.dev->flushes, ==, 1);	/* write through there */
	lun_set_state(other.lun, 0, LUN_WCE);
	send_list();
	assert_good();
	g_assert_cmpuint(other.dev->flushes, ==, 1);
	g_assert_cmpuint(rig.dev->flushes, ==, 0);
	nexus_free(other.nexus);
}

/* A copy reaches what its initiator reaches: where it is logged in, what it sees there, what it may write there. */
static void test_within_reach(void)
{
	const struct lun_view_row four = { .number = 0, .lun = 4 }, three = { .number = 9, .lun = 3 };
	struct lun_view *view;

	begin_list(1, LIST_ID_HOLD);
	add_cscd(rig.lun);
	add_cscd(other.lun);
	add_segment(0, 1, 1, 0, 0);
	send_list();
	assert_sense(COPY_DEVICE_NOT_REACHABLE);
	other.nexus = nexus_new(other.target, rig.r, "iqn.x:ab,i,0x7", 1, 1);	/* somebody else */
	send_list();
	assert_sense(COPY_DEVICE_NOT_REACHABLE);
	nexus_free(other.nexus);
	log_in_there();
	view = lun_view_new(&four, 1, false);
	nexus_set_view(other.nexus, lun_view_ref(view));
	send_list();
	assert_sense(COPY_DEVICE_NOT_REACHABLE);
	lun_view_unref(view);
	nexus_set_view(other.nexus, lun_view_new(&three, 1, true));
	send_list();
	assert_sense(COPY_DEVICE_FAILURE);
	nexus_set_view(other.nexus, lun_view_new(&three, 1, false));
	send_list();
	assert_good();
	nexus_set_view(rig.a, lun_view_new(NULL, 0, true));	/* here it may read */
	rig_clear_ua(rig.a);
	send_list();
	assert_good();
	one_segment(1, 0, 8);
	send_list();
	assert_sense(COPY_DEVICE_FAILURE);
	nexus_free(other.nexus);
}

static void test_block_sizes(void)
{
	uint8_t *d;

	log_in_there();
	fill_ram(rig.dev, 4);
	begin_list(1, LIST_ID_HOLD);
	add_cscd(rig.lun);
	add_cscd(other.big_lun);
	d = add_segment(0, 1, 16, 3, 1);
	send_list();
	assert_good();
	g_assert_cmpmem(other.big->ram + 4096, 16 * BS, rig.dev->ram + 3 * BS, 16 * BS);
	d[1] = 0x02;	/* DC: the count is of the destination's blocks */
	send_list();
	assert_good();
	g_assert_cmpmem(other.big->ram + 4096, 16 * 4096, rig.dev->ram + 3 * BS, 16 * 4096);
	d[1] = 0;
	put_be16(d + 10, 15);
	send_list();
	assert_sense(COPY_INEXACT_SEGMENT);
	assert_segment(0, 10);
	put_be16(d + 4, 1);
	put_be16(d + 6, 0);
	put_be16(d + 10, 2);
	send_list();
	assert_good();
	g_assert_cmpmem(rig.dev->ram + BS, 8192, other.big->ram + 3 * 4096, 8192);
	nexus_free(other.nexus);
}

/* ---- what is told ---- */

static void test_status(void)
{
	receive(SA_COPY_STATUS_LID1, 1, 12);
	assert_cdb_field(2, -1);
	one_segment(5, 0, 10);
	send_list();
	assert_good();
	receive(SA_COPY_STATUS_LID1, 1, 12);
	assert_good();
	g_assert_cmpuint(res.in_len, ==, 12);
	g_assert_cmpuint(res.in[4], ==, 1);
	g_assert_cmpuint(get_be16(res.in + 5), ==, 1);
	g_assert_cmpuint(get_be32(res.in + 8), ==, 5 * BS);
	rig.nexus = rig.b;	/* another's */
	receive(SA_COPY_STATUS_LID1, 1, 12);
	assert_cdb_field(2, -1);
	rig.nexus = rig.a;
	list.at[0] = 2;
	list.at[1] = LIST_ID_DISCARD << 3;
	send_list();
	assert_good();
	receive(SA_COPY_STATUS_LID1, 2, 12);
	assert_cdb_field(2, -1);

	one_segment(5, 0, RIG_BLOCKS);
	send_list();
	assert_sense(COPY_ABORTED);
	receive(SA_COPY_STATUS_LID1, 1, 12);
	g_assert_cmpuint(res.in[4], ==, 2);
	receive(SA_COPY_FAILED_SEGMENT_LID1, 1, 20);	/* not all of it: it is kept */
	assert_good();
	receive(SA_COPY_FAILED_SEGMENT_LID1, 1, 200);
	g_assert_cmpuint(get_be32(res.in), ==, res.in_len - 4);
	g_assert_cmpuint(res.in[56], ==, STATUS_CHECK_CONDITION);
	g_assert_cmpuint(res.in[60 + 2] & 0xf, ==, KEY_COPY_ABORTED);
	receive(SA_COPY_FAILED_SEGMENT_LID1, 1, 200);
	g_assert_cmpuint(res.in_len, ==, 4);

	one_segment(5, 0, 10);
	send_list();
	lun_reset(rig.lun);
	rig_clear_ua(rig.a);
	receive(SA_COPY_STATUS_LID1, 1, 12);
	assert_cdb_field(2, -1);
	for (unsigned i = 0; i < 2 * COPY_RECORDS_MAX; i++) {	/* the oldest is forgotten */
		list.at[0] = (uint8_t)i;
		send_list();
		assert_good();
	}
	receive(SA_COPY_STATUS_LID1, COPY_RECORDS_MAX - 1, 12);
	assert_cdb_field(2, -1);
	receive(SA_COPY_STATUS_LID1, COPY_RECORDS_MAX, 12);
	assert_good();
}

static void test_parameters(void)
{
	size_t at = 4, end;
	unsigned n = 0;

	receive(SA_COPY_OPERATING_PARAMETERS, 0, 100);
	assert_good();
	g_assert_cmpuint(get_be32(res.in), ==, res.in_len - 4);
	g_assert_cmpuint(get_be16(res.in + 8), ==, COPY_CSCDS_MAX);
	g_assert_cmpuint(get_be16(res.in + 10), ==, COPY_SEGMENTS_MAX);
	g_assert_cmpuint(get_be32(res.in + 12), ==, COPY_LIST_MAX);
	g_assert_cmpuint(res.in[43], ==, res.in_len - 44);
	SEND(1024, OP_INQUIRY, 1, 0x8f, 4, 0);
	assert_good();
	end = res.in_len;
	g_assert_cmpmem(res.in + at + 4, 9, "\x08\x83\x01\x00\x84\x03\x00\x03\x04", 9);
	for (; at < end; n++) {
		g_assert_cmpuint(get_be16(res.in + at + 2) % 4, ==, 0);
		at += 4u + get_be16(res.in + at + 2);
	}
	g_assert_cmpuint(at, ==, end);
	g_assert_cmpuint(n, ==, 5);
	SEND(96, OP_INQUIRY, 0, 0, 0, 96);
	g_assert_cmpuint(res.in[5] & 0x08, ==, 0x08);
}

/* ---- under way ---- */

struct going { struct task task; unsigned dones; bool aborted; };

static void going_done(struct task *t)
{
	struct going *g = container_of(t, struct going, task);

	g->dones++;
	g->aborted = t->aborted;
}

static const struct task_ops going_ops = { going_done };

static void start_copy(struct going *g)
{
	uint8_t cdb[16] = { OP_THIRD_PARTY_COPY_OUT };
	size_t len = finish_list();

	put_be32(cdb + 10, (uint32_t)len);
	rig_fill(&g->task, cdb, sizeof cdb, (uint32_t)len, 0);
	g->task.ops = &going_ops;
	g->dones = 0;
	g_assert_cmpint(task_begin(&g->task), ==, TASK_WANTS_DATA);
	task_execute_from(&g->task, list.at);
	g_assert_cmpuint(g->dones, ==, 0);
	g_assert_nonnull(fake_copy);
}

static void test_abort(void)
{
	struct going g;

	one_segment(5, 0, 10);
	start_copy(&g);
	receive(SA_COPY_STATUS_LID1, 1, 12);
	assert_good();
	g_assert_cmpuint(res.in[4], ==, 0);	/* in progress */
	task_abort(&g.task);
	g_assert_cmpuint(g.dones, ==, 0);	/* not before the device has let go */
	g_assert_true(fake_copy->canceled);
	fake_copy_on();
	g_assert_cmpuint(g.dones, ==, 1);
	g_assert_true(g.aborted);
	task_release(&g.task);
	receive(SA_COPY_STATUS_LID1, 1, 12);
	assert_cdb_field(2, -1);
}

static void test_list_id_in_use(void)
{
	struct going g;
	struct device_copy *under_way;

	one_segment(5, 0, 10);
	start_copy(&g);
	under_way = fake_copy;
	fake_copy = NULL;
	send_list();
	assert_sense(OPERATION_IN_PROGRESS);
	rig.nexus = rig.b;
	send_list();
	assert_good();
	fake_copy = under_way;
	fake_copy_on();
	g_assert_cmpuint(g.dones, ==, 1);
	task_release(&g.task);
}

/* One that is about to go away is not copied to any more. */
static void test_going_away(void)
{
	struct lun_count *count = &other.lun->count[reactor_index(rig.r)];
	struct going g;

	log_in_there();
	begin_list(1, LIST_ID_HOLD);
	add_cscd(rig.lun);
	add_cscd(other.lun);
	add_segment(0, 1, 5, 0, 10);
	add_segment(0, 1, 5, 0, 10);
	start_copy(&g);
	g_assert_cmpuint(count->n, ==, 1);
	pthread_mutex_lock(&other.lun->lock);
	count->draining = true;
	other.lun->left += count->n;
	pthread_mutex_unlock(&other.lun->lock);
	fake_copy_on();
	g_assert_cmpuint(g.dones, ==, 1);
	g_assert_cmpuint(g.task.sense[2], ==, KEY_COPY_ABORTED);
	g_assert_cmpuint(g.task.sense[12] << 8 | g.task.sense[13], ==, 0x0d02);
	g_assert_cmpuint(other.lun->left, ==, 0);
	count->draining = false;
	task_release(&g.task);
	nexus_free(other.nexus);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("/scsi/copy/header", test_header);
	rig_add("/scsi/copy/descriptors", test_descriptors);
	rig_add("/scsi/copy/unreachable", test_unreachable);
	rig_add("/scsi/copy/range-and-state", test_range_and_state);
	rig_add("/scsi/copy/within", test_within);
	rig_add_around("/scsi/copy/other-target", add_others, remove_others, test_other_target);
	rig_add_around("/scsi/copy/within-reach", add_others, remove_others, test_within_reach);
	rig_add_around("/scsi/copy/block-sizes", add_others, remove_others, test_block_sizes);
	rig_add("/scsi/copy/status", test_status);
	rig_add("/scsi/copy/parameters", test_parameters);
	rig_add("/scsi/copy/abort", test_abort);
	rig_add("/scsi/copy/list-id-in-use", test_list_id_in_use);
	rig_add_around("/scsi/copy/going-away", add_others, remove_others, test_going_away);
	return g_test_run();
}

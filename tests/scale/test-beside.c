/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes cost those who are not concerned: while 4 KiB reads and writes go to LUN 0, LUNs 1 to 100 come and go.
 * Nothing of them fails or is lost but for the unit attentions that say so, and they take no longer.
 */
#include "config.h"
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "control-rig.h"
#include "scale.h"

#define IO 4096u
#define SLOTS 1024u
#define DEPTH 8u
#define QUIET 20000u		/* commands */
#define LUNS 100u
#define PACE 64u		/* commands for a change */
#define TIMES_MAX 2u		/* the 99th percentile of quiet times */
#define TRIES 20u

/* A session that knows what is in each of its slots. */
struct load {
	struct ini *i;
	uint32_t generations[SLOTS];
	unsigned next;			/* slot */
	unsigned until;			/* commands; 0: until it is stopped */
	atomic_bool stop;
	unsigned attentions;
	sem_t turns;			/* one more each PACE commands */
	GArray *ns;			/* how long each command took */
};

struct command {
	unsigned slot;
	bool write, done;
	uint32_t itt;
	uint8_t data[IO];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void fill(uint8_t *data, unsigned slot, uint32_t generation)
{
	for (unsigned at = 0; at < IO; at += 8) {
		put32(data + at, slot);
		put32(data + at + 4, generation * 1000 + at);
	}
}

/* ---- I/O ---- */

static void send_one(struct load *l, struct command *c)
{
	uint32_t lba = c->slot * (IO / 512);

	if (c->write) {
		fill(c->data, c->slot, l->generations[c->slot] + 1);
		c->itt = ini_write(l->i, FINAL, lba, IO / 512, IO, c->data, IO);
	} else {
		c->itt = ini_read(l->i, lba, IO / 512, IO);
	}
}

static struct command *find(struct command *commands, uint32_t itt)
{
	for (unsigned n = 0; n < DEPTH; n++)
		if (commands[n].itt == itt && !commands[n].done)
			return &commands[n];
	g_error("an answer to 0x%x", itt);
}

/* RFC 7143 5.2, SPC-4 5.14: LUNs that came or went are told of once, and what was to be done was not. */
static bool is_attention(const struct load *l)
{
	const uint8_t *sense = l->i->data + 2;

	if (l->i->bhs[3] == 0)
		return false;
	g_assert_cmphex(l->i->bhs[3], ==, 2);
	g_assert_cmpuint(l->i->data_len, >=, 2 + 18);
	g_assert_cmphex(sense[2] & 15, ==, KEY_UNIT_ATTENTION);
	g_assert_cmphex(get16(sense + 12), ==, 0x3f0e);
	return true;
}

static void check(struct load *l, const struct command *c)
{
	uint8_t wanted[IO];

	if (c->write) {
		l->generations[c->slot]++;
		return;
	}
	fill(wanted, c->slot, l->generations[c->slot]);
	g_assert_cmpmem(c->data, IO, wanted, IO);
}

/* One command ends; false: it was only data, or it has to be sent again. */
static bool take_answer(struct load *l, struct command *commands)
{
	struct command *c;

	g_assert_true(ini_recv(l->i));
	c = find(commands, get32(l->i->bhs + 16));
	if ((l->i->bhs[0] & OPCODE_MASK) == OP_DATA_IN) {
		g_assert_false(c->write);
		g_assert_cmpuint(get32(l->i->bhs + 40) + l->i->data_len, <=, IO);
		memcpy(c->data + get32(l->i->bhs + 40), l->i->data, l->i->data_len);
		if (!(l->i->bhs[1] & FLAG_STATUS))
			return false;
	} else {
		g_assert_cmphex(l->i->bhs[0] & OPCODE_MASK, ==, OP_SCSI_RESPONSE);
		g_assert_cmphex(l->i->bhs[2], ==, 0);
	}
	if (is_attention(l)) {
		l->attentions++;
		send_one(l, c);
		return false;
	}
	check(l, c);
	c->done = true;
	return true;
}

static void batch(struct load *l)
{
	static struct command commands[DEPTH];
	uint64_t from;

	for (unsigned n = 0; n < DEPTH; n++) {
		commands[n].slot = (l->next + n * 97) % SLOTS;
		commands[n].write = (l->next + n) % 2;
		commands[n].done = false;
	}
	l->next += 31;
	from = now_ns();
	for (unsigned n = 0; n < DEPTH; n++)
		send_one(l, &commands[n]);
	for (unsigned n = 0; n < DEPTH; )
		if (take_answer(l, commands)) {
			uint64_t ns = now_ns() - from;

			g_array_append_val(l->ns, ns);
			n++;
		}
}

/* What the last change may have left to tell. */
static void settle(struct load *l)
{
	do {
		ini_test_unit_ready(l->i, 0);
		EXPECT_PDU(l->i, OP_SCSI_RESPONSE);
	} while (is_attention(l) && ++l->attentions);
}

static gpointer run(gpointer arg)
{
	struct load *l = arg;

	while (!atomic_load(&l->stop) && (!l->until || l->ns->len < l->until)) {
		batch(l);
		if (l->ns->len % PACE == 0)
			sem_post(&l->turns);
	}
	return NULL;
}

/* ---- what it is beside ---- */

/* What a request does, without HTTP, which wants the same processors. */
static void change(bool add, uint32_t number)
{
	struct conf *c = server_conf_part(running, DISK);
	GPtrArray *luns = ((struct conf_target *)c->targets->pdata[0])->luns;
	GError *error = NULL;

	if (add) {
		struct conf_lun *lun = schema_new(CONF_LUN);

		lun->number = number;
		lun->plugin = g_strdup("null");
		lun->settings = g_strsplit("size 1M", " ", 2);
		g_ptr_array_add(luns, lun);
	} else {
		schema_free(CONF_LUN, g_ptr_array_steal_index(luns, luns->len - 1));
	}
	server_apply_part(running, c, DISK, &error);
	g_assert_no_error(error);
}

static void ask_for(bool add, uint32_t number)
{
	g_autofree char *at = g_strdup_printf("/v1/targets/" DISK "/luns/%u?force=1", number);

	if (add)
		expect("PUT", at, "{\"plugin\":\"null\",\"settings\":{\"size\":\"1M\"}}", 201, NULL);
	else
		expect("DELETE", at, NULL, 204, NULL);
}

static void ask_only(bool add, uint32_t number)
{
	expect("GET", "/v1/targets/" DISK "/luns/0", NULL, 200, NULL);
}

static void come_and_go(struct load *l, void (*one)(bool add, uint32_t number))
{
	for (unsigned n = 0; n < 2 * LUNS; n++) {
		while (sem_wait(&l->turns) < 0)
			g_assert_cmpint(errno, ==, EINTR);
		one(n < LUNS, n < LUNS ? n + 1 : 2 * LUNS - n);
	}
}

static gint by_size(gconstpointer a, gconstpointer b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct figures { unsigned commands, attentions; double p50_us, p99_us; };

/* one NULL: nothing beside it, for so many commands. */
static struct figures measure(struct load *l, const char *what, void (*one)(bool add, uint32_t number))
{
	struct figures f;
	GThread *thread;

	g_array_set_size(l->ns, 0);
	l->until = one ? 0 : SANITIZED ? QUIET / 10 : QUIET;
	l->attentions = 0;
	atomic_store(&l->stop, false);
	while (sem_trywait(&l->turns) == 0)
		;
	thread = g_thread_new("load", run, l);
	if (one)
		come_and_go(l, one);
	atomic_store(&l->stop, one != NULL);
	g_thread_join(thread);
	settle(l);
	g_array_sort(l->ns, by_size);
	f = (struct figures){ l->ns->len, l->attentions, (double)g_array_index(l->ns, uint64_t, l->ns->len / 2) / 1e3,
			      (double)g_array_index(l->ns, uint64_t, l->ns->len / 100 * 99) / 1e3 };
	g_test_message("%s: %u commands, %u unit attentions, half within %.0f us, 99 %% within %.0f us",
		       what, f.commands, f.attentions, f.p50_us, f.p99_us);
	return f;
}

static struct load *load_new(void)
{
	struct load *l = g_new0(struct load, 1);
	uint8_t data[IO];
	uint32_t itt;

	g_assert_cmpint(sem_init(&l->turns, 0, 0), ==, 0);
	l->ns = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	l->i = ini_new(NULL, 1);
	ini_login_pdu(l->i, OP_TO_FULL, "InitiatorName=" HOST ";TargetName=" DISK ";");
	EXPECT_LOGIN(l->i, OP_TO_FULL, 0);
	itt = ini_test_unit_ready(l->i, 0);
	EXPECT_SENSE(l->i, itt, KEY_UNIT_ATTENTION, 0x29);
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		fill(data, slot, 0);
		itt = ini_write(l->i, FINAL, slot * (IO / 512), IO / 512, IO, data, IO);
		EXPECT_STATUS(l->i, itt, 0);
	}
	return l;
}

static const char conf[] =
	"state-dir = \"%s/state\"; reactors = 2; portals = ( { address = \"127.0.0.1\"; port = 0; } );\n"
	"targets = ( { iqn = \"" DISK "\"; open = true; luns = (\n"
	"  { number = 0; plugin = \"file\"; settings: { path = \"%s/a.img\"; size = \"4M\"; create = \"yes\"; }; } ); } );\n";

static void test_luns(void)
{
	g_autofree char *text = g_strdup_printf(conf, dir, dir), *image = g_build_filename(dir, "a.img", NULL);
	double best = G_MAXDOUBLE;
	struct load *l;

	begin_with(text, false);
	l = load_new();
	for (unsigned try = 0; try < TRIES && best > TIMES_MAX; try++) {
		struct figures quiet = measure(l, "quiet", NULL), busy = measure(l, "LUNs come and go", change);

		g_assert_cmpuint(quiet.attentions, ==, 0);
		g_assert_cmpuint(busy.attentions, >, 0);
		g_assert_cmpuint(server_luns(running), ==, 1);
		best = SANITIZED ? 0 : MIN(best, busy.p99_us / quiet.p99_us);
	}
	if (best > TIMES_MAX)
		g_error("99 %% of the commands take %.1f times as long while LUNs come and go", best);
	/* HTTP wants a processor of its own; as many requests that change nothing show how much of it that is. */
	g_assert_cmpuint(measure(l, "LUNs come and go by requests", ask_for).attentions, >, 0);
	g_assert_cmpuint(server_luns(running), ==, 1);
	g_assert_cmpuint(measure(l, "requests that change nothing", ask_only).attentions, ==, 0);
	ini_hang_up(l->i);
	ini_free(l->i);
	g_array_unref(l->ns);
	sem_destroy(&l->turns);
	g_free(l);
	end();
	unlink(image);
}

int main(int argc, char **argv)
{
	rig_begin(&argc, &argv);
	g_test_add_func("/beside/luns", test_luns);
	return rig_run();
}

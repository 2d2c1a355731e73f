/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-pr-kill PROGRAM STATE-DIR ROUNDS - persistent reservations of a server that is killed again and again: after
 * each start they are as the last answer left them, or as the one command without an answer would have.
 */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include "../wire/ini.h"
#include "life.h"
#include "scsi/wire.h"

enum { INITIATORS = 3, ALL = INITIATORS, KILL_MAX_US = 12000, GOOD = 0x00, CHECK_CONDITION = 0x02, CONFLICT = 0x18 };
enum { LOST = 0xff };	/* no answer */

static struct ini *ini[INITIATORS];
static unsigned acknowledged, in_flight_done, in_flight_not;

/* ---- what there should be ---- */

struct model {
	uint64_t key[INITIATORS];	/* 0: not registered */
	uint8_t kind;			/* 0: no reservation */
	uint8_t holder;			/* ALL: all registrants */
};

struct op {
	uint8_t sa, by, kind;
	uint64_t key, action_key;
};

static bool holds(const struct model *m, uint8_t who)
{
	return m->kind && m->key[who] && (m->holder == ALL || m->holder == who);
}

static void forget(struct model *m, uint8_t who)
{
	bool only = m->holder != ALL, last = true;

	m->key[who] = 0;
	for (int i = 0; i < INITIATORS; i++)
		last &= !m->key[i];
	if (last || (only && m->holder == who))
		m->kind = m->holder = 0;
}

static void take(struct model *m, const struct op *op)
{
	m->kind = op->kind;
	m->holder = op->kind >= 7 ? ALL : op->by;
}

static uint8_t preempt(struct model *m, const struct op *op)
{
	for (uint8_t i = 0; i < INITIATORS; i++) {
		bool held = m->kind && m->holder == i;

		if (i == op->by || m->key[i] != op->action_key)
			continue;
		forget(m, i);
		if (held)
			take(m, op);
		return GOOD;
	}
	return CONFLICT;
}

static uint8_t apply(struct model *m, const struct op *op)
{
	if (op->sa == SA_PR_REGISTER_AND_IGNORE) {
		m->key[op->by] = op->action_key;
		if (!op->action_key)
			forget(m, op->by);
		return GOOD;
	}
	if (!m->key[op->by])
		return CONFLICT;
	switch (op->sa) {
	case SA_PR_RESERVE:
		if (m->kind)
			return holds(m, op->by) && m->kind == op->kind ? GOOD : CONFLICT;
		take(m, op);
		return GOOD;
	case SA_PR_RELEASE:
		if (holds(m, op->by))
			m->kind = m->holder = 0;
		return GOOD;
	case SA_PR_CLEAR:
		memset(m, 0, sizeof *m);
		return GOOD;
	}
	return preempt(m, op);
}

static struct op random_op(const struct model *m)
{
	static const uint8_t sas[] = { SA_PR_REGISTER_AND_IGNORE, SA_PR_REGISTER_AND_IGNORE, SA_PR_RESERVE,
				       SA_PR_RESERVE, SA_PR_RELEASE, SA_PR_CLEAR, SA_PR_PREEMPT,
				       SA_PR_PREEMPT_AND_ABORT };
	static const uint8_t kinds[] = { 1, 3, 5, 6, 7, 8 };
	static uint64_t next_key = 1;
	struct op op = { .sa = sas[g_random_int_range(0, G_N_ELEMENTS(sas))],
			 .by = (uint8_t)g_random_int_range(0, INITIATORS),
			 .kind = kinds[g_random_int_range(0, G_N_ELEMENTS(kinds))] };

	op.key = m->key[op.by];
	if (op.sa == SA_PR_REGISTER_AND_IGNORE)
		op.action_key = g_random_int_range(0, 4) ? next_key++ : 0;
	else if (op.sa == SA_PR_RELEASE)
		op.kind = m->kind;
	else if (op.sa >= SA_PR_PREEMPT)
		op.action_key = m->key[(op.by + 1) % INITIATORS];
	if (op.sa >= SA_PR_PREEMPT && op.sa <= SA_PR_PREEMPT_AND_ABORT && !op.action_key)
		op.action_key = UINT64_MAX;	/* nobody's */
	return op;
}

/* ---- asking the server ---- */

static uint8_t status_of(struct ini *i)
{
	if (!ini_recv(i))
		return LOST;
	g_assert_cmphex(i->bhs[0] & OPCODE_MASK, ==, OP_SCSI_RESPONSE);
	return i->bhs[3];
}

/* Unit attentions are of what the others did; the command is sent again. */
static uint8_t perform(const struct op *op)
{
	uint8_t list[24] = { 0 }, status;
	uint8_t cdb[16] = { OP_PERSISTENT_RESERVE_OUT, op->sa, op->kind, 0, 0, 0, 0, 0, sizeof list };

	put_be64(list, op->key);
	put_be64(list + 8, op->action_key);
	list[20] = op->sa == SA_PR_REGISTER_AND_IGNORE;	/* APTPL */
	do {
		ini_command(ini[op->by], FINAL | WRITE, 0, sizeof list, cdb, list, sizeof list);
		status = status_of(ini[op->by]);
	} while (status == CHECK_CONDITION && (ini[op->by]->data[2 + 2] & 15) == KEY_UNIT_ATTENTION);
	return status;
}

static struct model ask(void)
{
	uint8_t cdb[16] = { OP_PERSISTENT_RESERVE_IN, SA_PR_READ_FULL_STATUS, 0, 0, 0, 0, 0, 0x10, 0 }, d[4096] = { 0 };
	struct model m = { .kind = 0 };
	unsigned holders = 0;

	ini_finish_read(ini[0], ini_command(ini[0], FINAL | READ, 0, sizeof d, cdb, NULL, 0), d, sizeof d);
	g_assert_cmphex(ini[0]->bhs[3], ==, GOOD);
	for (uint32_t at = 8; at < 8 + get_be32(d + 4); at += 24 + get_be32(d + at + 20)) {
		const char *name = (const char *)d + at + 28;
		int who = name[strlen(name) - 1] - '1';

		g_assert_true(g_str_has_prefix(name, HOST ",i,0x") && who >= 0 && who < INITIATORS && !m.key[who]);
		m.key[who] = get_be64(d + at);
		if (d[at + 12] & 1) {
			m.kind = d[at + 13];
			m.holder = (uint8_t)who;
			holders++;
		}
	}
	if (m.kind >= 7)
		m.holder = ALL;
	else
		g_assert_cmpuint(holders, <=, 1);
	return m;
}

static bool same(const struct model *a, const struct model *b)
{
	return !memcmp(a->key, b->key, sizeof a->key) && a->kind == b->kind && (!a->kind || a->holder == b->holder);
}

static void print(const char *what, const struct model *m)
{
	printf("# %s: keys %d %d %d, type %u, holder %u\n", what, (int)m->key[0], (int)m->key[1],
	       (int)m->key[2], m->kind,
	       m->holder);
}

/* ---- a server's life ---- */

/* Until there is no answer: then *open is what the command would have made of *m. */
static void traffic(struct model *m, struct model *open)
{
	for (;;) {
		struct op op = random_op(m);
		uint8_t expected, status;

		*open = *m;
		expected = apply(open, &op);
		status = perform(&op);
		if (status == LOST)
			return;
		g_assert_cmphex(status, ==, expected);
		*m = *open;
		acknowledged++;
	}
}

static void check_state(struct model *m, const struct model *open)
{
	struct model now = ask();

	if (!same(&now, m) && !same(&now, open)) {
		print("there is", &now);
		print("last answered", m);
		print("or", open);
		g_error("reservations are not what they were");
	}
	if (!same(m, open))
		(*(same(&now, m) ? &in_flight_not : &in_flight_done))++;
	*m = now;
}

static void a_life(const char *program, const char *state_dir, struct model *m, struct model *open)
{
	const char *argv[] = { program, "serve", "--iqn", DISK, "--portal", "127.0.0.1:0", "--state-dir",
				state_dir,  "null:", "null:", NULL };
	struct life *l = life_begin(argv, NULL);

	for (uint8_t i = 0; i < INITIATORS; i++) {
		ini[i] = ini_new_tcp(NULL, (uint8_t)(i + 1));
		ini_login(ini[i], "");
	}
	check_state(m, open);
	life_kill_after(l, (unsigned)g_random_int_range(0, KILL_MAX_US));
	traffic(m, open);
	life_end(l);
	for (int i = 0; i < INITIATORS; i++)
		ini_free(ini[i]);
}

int main(int argc, char **argv)
{
	struct model m = { .kind = 0 }, open = { .kind = 0 };
	guint32 seed = g_random_int();
	int rounds;

	if (argc != 4)
		return 2;
	rounds = atoi(argv[3]);
	g_random_set_seed(seed);
	printf("# seed %u\n", seed);
	for (int i = 0; i < rounds; i++)
		a_life(argv[1], argv[2], &m, &open);
	printf("# %d kills, %u commands answered; of those without an answer %u were done, %u were not\n", rounds,
	       acknowledged, in_flight_done, in_flight_not);
	return acknowledged > (unsigned)rounds / 10 ? 0 : 1;
}

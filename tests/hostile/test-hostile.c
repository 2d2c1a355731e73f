/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-hostile PROGRAM FOLDER SECONDS RATIO - peers that misbehave, one kind at a time, each for SECONDS; meanwhile another
 * session reads and writes, and every byte of it is right, the control socket answers, and the daemon's memory stays within
 * what the kind is allowed.  Above 3 seconds: all of what the machine can have, and the other session keeps RATIO of
 * what it does alone, just before.
 */
#include "config.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hostile.h"

#define TRIES 4
#define ROUNDS 5			/* of quiet and attack in turn: the machine has others to serve */
#define RUN 8u				/* blocks */
#define RUN_BYTES (RUN * BLOCK)

static double seconds, least;

/* ---- who goes on ---- */

struct victim {
	struct ini *ini;
	atomic_bool stop;
	atomic_uint done;		/* runs written and read */
	uint32_t generation;
};

static void stamp(uint8_t *data, uint32_t lba, uint32_t generation)
{
	for (uint32_t i = 0; i < RUN_BYTES; i += 8) {
		put32(data + i, lba + i / BLOCK);
		put32(data + i + 4, generation + i);
	}
}

static gpointer go_on(gpointer arg)
{
	struct victim *v = arg;
	uint8_t data[RUN_BYTES], got[RUN_BYTES];

	while (!atomic_load(&v->stop)) {
		uint32_t lba = v->generation % 128 * RUN, itt;

		stamp(data, lba, v->generation++);
		itt = ini_write(v->ini, FINAL, lba, RUN, RUN_BYTES, data, RUN_BYTES);
		EXPECT_STATUS(v->ini, itt, 0);
		itt = ini_read(v->ini, lba, RUN, RUN_BYTES);
		g_assert_cmpuint(ini_finish_read(v->ini, itt, got, RUN_BYTES), ==, RUN_BYTES);
		g_assert_cmpmem(got, RUN_BYTES, data, RUN_BYTES);
		atomic_fetch_add(&v->done, 1);
	}
	return NULL;
}

static struct victim victim;

/* ---- who does not let it ---- */

struct attacker {
	const struct attack *attack;
	unsigned n;
	atomic_bool *stop;
};

static gpointer attack_thread(gpointer arg)
{
	const struct attacker *a = arg;

	a->attack->run(a->n, a->stop);
	return NULL;
}

struct seen {
	double done, for_s;	/* by the victim */
	double deeds;		/* of the attack */
	size_t most_kib;
	unsigned asked;
};

static double rate(const struct seen *s)
{
	return s->done / s->for_s;
}

/* Others get in as well, from the same address; not at the first try where logins are dropped to make room. */
static void log_in_again(void)
{
	int fd = -1;

	for (unsigned tries = 0; fd < 0 && tries < 30; tries++)
		fd = raw_login(DISK, 201, "");
	g_assert_cmpint(fd, >=, 0);
	close(fd);
}

/* Look at it for a while. */
static void watch(double for_s, struct seen *seen)
{
	gint64 began = g_get_monotonic_time(), until = began + (gint64)(for_s * G_USEC_PER_SEC);
	unsigned done = atomic_load(&victim.done);

	while (g_get_monotonic_time() < until) {
		seen->most_kib = MAX(seen->most_kib, rig_rss_kib());
		rig_check_alive();
		g_assert_cmpuint(rig_ask("GET", "/healthz", NULL), ==, 200);
		log_in_again();
		seen->asked++;
		g_usleep(100000);
	}
	seen->done += atomic_load(&victim.done) - done;
	seen->for_s += (double)(g_get_monotonic_time() - began) / G_USEC_PER_SEC;
}

/* So many, however long they took. */
static double enough(const struct attack *a)
{
	return 3 + a->deeds / 10;
}

static void attack_once(const struct attack *a, double for_s, struct seen *quiet, struct seen *seen)
{
	GThread *threads[8];
	struct attacker attackers[8];
	atomic_bool stop = false;
	unsigned deeds;

	watch(seconds > 3 ? for_s : 0.2, quiet);
	deeds = atomic_load(&hostile_deeds);
	for (unsigned i = 0; i < a->threads; i++) {
		attackers[i] = (struct attacker){ a, i, &stop };
		threads[i] = g_thread_new(a->name, attack_thread, &attackers[i]);
	}
	watch(for_s, seen);
	/* A machine that does much else gives it longer to have been an attack; how fast it is, is for the longer runs. */
	for (unsigned i = 0; seconds <= 3 && i < 100 && (atomic_load(&hostile_deeds) - deeds < enough(a) || !seen->done); i++)
		watch(for_s, seen);
	seen->deeds += atomic_load(&hostile_deeds) - deeds;
	atomic_store(&stop, true);
	for (unsigned i = 0; i < a->threads; i++)
		g_thread_join(threads[i]);
}

static void test(gconstpointer arg)
{
	const struct attack *a = arg;
	unsigned fds = rig_fds();
	size_t base_kib = rig_rss_kib();
	/* What each reactor has for data comes by 2 MiB, and all that is announced takes memory with the first of it. */
	const size_t slabs_kib = (g_get_num_processors() + 8) * 2048u;
	gint64 until;

	for (unsigned i = 0; i < TRIES; i++) {
		struct seen quiet = { 0 }, seen = { 0 };

		for (unsigned round = 0; round < (seconds > 3 ? ROUNDS : 1); round++)
			attack_once(a, seconds > 3 ? seconds / ROUNDS : seconds, &quiet, &seen);
		g_test_message("%s: %.0f a second, alone %.0f: %.2f; memory %zu KiB, before %zu; asked %u times; %.0f deeds a second",
			       a->name, rate(&seen), rate(&quiet), rate(&seen) / rate(&quiet), seen.most_kib, base_kib,
			       seen.asked, seen.deeds / seen.for_s);
		g_assert_cmpfloat(seen.deeds, >=, enough(a));
		g_assert_cmpfloat(seen.done, >, 0);
		if (!rig_sanitized)
			g_assert_cmpuint(seen.most_kib, <=, base_kib + a->mib * 1024u + slabs_kib);
		if (seconds <= 3 || rig_sanitized)
			break;
		if (rate(&seen) >= least * rate(&quiet) && seen.deeds >= a->deeds * seen.for_s)
			break;
		g_assert_cmpuint(i + 1, <, TRIES);
	}
	/* What they had open is closed; half of a login has its time. */
	until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	while (rig_fds() > fds) {
		g_assert_cmpint(g_get_monotonic_time(), <, until);
		g_usleep(20000);
	}
	g_assert_cmpuint(atomic_load(&victim.stop), ==, false);
}

static const char conf[] =
	"limits: { login-timeout = 2; max-command-memory = 64; };\n"
	"targets = (\n"
	"  { iqn = \"" DISK "\"; open = true; luns = (\n"
	"    { number = 0; plugin = \"file\"; settings: { path = \"%s/0\"; }; },\n"
	"    { number = 1; plugin = \"null\"; settings: { size = \"16M\"; }; } ); },\n"
	"  { iqn = \"" OTHER "\"; open = true; luns = (\n"
	"    { number = 0; plugin = \"null\"; settings: { size = \"16M\"; }; },\n"
	"    { number = 1; plugin = \"null\"; settings: { size = \"1T\"; }; } ); }\n"
	");\n";

int main(int argc, char **argv)
{
	g_autofree char *text = NULL;
	GThread *thread;
	int r;

	g_test_init(&argc, &argv, NULL);
	if (argc != 5)
		return 2;
	rig_program = argv[1];
	rig_folder = argv[2];
	seconds = g_ascii_strtod(argv[3], NULL);
	least = g_ascii_strtod(argv[4], NULL);
	hostile_long = seconds > 3;
	rig_sanitized = g_getenv("RIG_SANITIZED") != NULL;
	rig_patience_s = seconds > 3 && !rig_sanitized ? 5 : 20;
	signal(SIGPIPE, SIG_IGN);
	rig_image("0", 16 << 20);
	text = g_strdup_printf(conf, rig_folder);
	rig_start(text);
	victim.ini = ini_new_login(NULL, 200, "");
	thread = g_thread_new("victim", go_on, &victim);
	for (const struct attack *a = attacks; a->name; a++) {
		g_autofree char *path = g_strconcat("/hostile/", a->name, NULL);

		g_test_add_data_func(path, a, test);
	}
	r = g_test_run();
	atomic_store(&victim.stop, true);
	g_thread_join(thread);
	ini_free(victim.ini);
	rig_stop();
	return r;
}

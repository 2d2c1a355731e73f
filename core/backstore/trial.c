/* SPDX-License-Identifier: Apache-2.0 */
/* trial.c - whether lending pays, by trying both. */
#include "config.h"
#include <glib.h>
#include <string.h>
#include "backstore/trial.h"

/*
 * The first is the rest between trials, with whatever was found.  What changes evenly (caches that fill) is in both alike, as
 * the copies are between.  Commands are sent when a batch has ended, so that a little of each is counted as the other:
 * it makes the difference smaller, and not another.
 */
static const struct { bool copied; uint64_t bytes; } steps[] = {
	{ false, 0 }, { false, TRIAL_WINDOW }, { true, 2 * TRIAL_WINDOW }, { false, TRIAL_WINDOW },
};

/* Between copies a trial of what may be dear is to be rare. */
#define REST_COPIES (TRIAL_REST_MIN * 16)

void trial_init(struct trial *t)
{
	*t = (struct trial){ .left = TRIAL_REST_MIN, .rest = TRIAL_REST_MIN };
}

static void rest_longer(struct trial *t)
{
	t->rest = MIN(t->rest * 2, TRIAL_REST_MAX);
}

static void choose(struct trial *t, bool copies, uint64_t rest)
{
	t->copies = copies;
	t->rest = rest;
	t->lost_ns = 0;
}

/* Lending is left late: what is touched for the first time is dear, and it will be cheap. */
static void decide(struct trial *t)
{
	double lent = (double)t->ns[0] / (double)t->bytes[0], copied = (double)t->ns[1] / (double)t->bytes[1];

	t->expected = lent;
	if (t->is_void || t->ns[0] + t->ns[1] > TRIAL_NS_MAX || (t->copies && lent > copied * 0.9)) {
		rest_longer(t);
		return;
	}
	if (t->copies) {
		choose(t, false, TRIAL_REST_MIN);
		return;
	}
	t->lost_ns = MAX(t->lost_ns + (lent - copied) * (double)t->rest, 0);
	if (t->lost_ns > TRIAL_LOST_NS)
		choose(t, true, REST_COPIES);
	else if (lent > copied)
		t->rest = TRIAL_REST_MIN;
	else
		rest_longer(t);
}

/* Lent bytes cost twice what they did, or the commands are others. */
static bool is_dearer(const struct trial *t, uint64_t now_ns)
{
	return !t->copies && t->expected > 0 && (double)(now_ns - t->began_ns) > 2 * t->expected * (double)TRIAL_REST_MIN;
}

static void rest(struct trial *t)
{
	t->left = MIN(t->rest_left, TRIAL_REST_MIN);
	t->rest_left -= t->left;
}

static void next_step(struct trial *t, uint64_t now_ns)
{
	if (!t->step && t->rest_left && !is_dearer(t, now_ns)) {
		t->began_ns = now_ns;
		rest(t);
		return;
	}
	if (t->step)
		t->ns[steps[t->step].copied] += now_ns - t->began_ns;
	t->began_ns = now_ns;
	t->step = (uint8_t)((t->step + 1) % G_N_ELEMENTS(steps));
	t->left = steps[t->step].bytes;
	if (!t->step) {
		decide(t);
		t->rest_left = t->rest;
		rest(t);
	}
	if (t->step == 1) {
		memset(t->bytes, 0, sizeof t->bytes);
		memset(t->ns, 0, sizeof t->ns);
		t->is_void = false;
	}
}

bool trial_lends(struct trial *t, uint64_t bytes, uint64_t (*cpu_ns)(void))
{
	if (G_UNLIKELY(!t->left))
		next_step(t, cpu_ns());
	t->left -= MIN(t->left, bytes);
	if (G_LIKELY(!t->step))
		return !t->copies;
	t->bytes[steps[t->step].copied] += bytes;
	return !steps[t->step].copied;
}

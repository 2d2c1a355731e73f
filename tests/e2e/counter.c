/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counter URI PROCESSES ROUNDS - processes with a session each count up one counter on a LUN by COMPARE AND WRITE, ROUNDS
 * times in all.  The counter fills several blocks: a read that finds two values in them saw half a write.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

enum { BLOCKS = 8, BLOCK = 512, LEN = BLOCKS * BLOCK, LBA = 64 };

struct session { struct iscsi_context *iscsi; int lun; };

static void die(const struct session *s, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, s && s->iscsi ? iscsi_get_error(s->iscsi) : "");
	exit(1);
}

static struct session login(const char *uri, unsigned n)
{
	struct session s = { NULL, 0 };
	struct iscsi_url *url;
	char name[64];

	snprintf(name, sizeof name, "iqn.2024-01.org.gotgt:counter%u", n);
	s.iscsi = iscsi_create_context(name);
	url = s.iscsi ? iscsi_parse_full_url(s.iscsi, uri) : NULL;
	if (!url)
		die(&s, "URI");
	iscsi_set_targetname(s.iscsi, url->target);
	iscsi_set_session_type(s.iscsi, ISCSI_SESSION_NORMAL);
	s.lun = url->lun;
	if (iscsi_full_connect_sync(s.iscsi, url->portal, url->lun))
		die(&s, "login");
	iscsi_destroy_url(url);
	return s;
}

static void logout(const struct session *s)
{
	iscsi_logout_sync(s->iscsi);
	iscsi_destroy_context(s->iscsi);
}

static void fill(uint8_t *p, uint64_t value)
{
	for (unsigned at = 0; at < LEN; at += sizeof value)
		memcpy(p + at, &value, sizeof value);
}

static uint64_t look(const struct session *s)
{
	struct scsi_task *task = iscsi_read10_sync(s->iscsi, s->lun, LBA, LEN, BLOCK, 0, 0, 0, 0, 0);
	uint8_t whole[LEN];
	uint64_t value;

	if (!task || task->status != SCSI_STATUS_GOOD || task->datain.size != LEN)
		die(s, "READ");
	memcpy(&value, task->datain.data, sizeof value);
	fill(whole, value);
	if (memcmp(whole, task->datain.data, LEN)) {
		fprintf(stderr, "a READ saw half a COMPARE AND WRITE\n");
		exit(1);
	}
	scsi_free_scsi_task(task);
	return value;
}

/* False: somebody else was first. */
static bool count(const struct session *s, uint64_t old)
{
	uint8_t data[2 * LEN];
	struct scsi_task *task;
	bool done;

	fill(data, old);
	fill(data + LEN, old + 1);
	task = iscsi_compareandwrite_sync(s->iscsi, s->lun, LBA, data, sizeof data, BLOCK, 0, 0, 0, 0, 0);
	if (!task)
		die(s, "COMPARE AND WRITE");
	done = task->status == SCSI_STATUS_GOOD;
	if (!done && (task->status != SCSI_STATUS_CHECK_CONDITION || task->sense.key != SCSI_SENSE_MISCOMPARE))
		die(s, "COMPARE AND WRITE");
	scsi_free_scsi_task(task);
	return done;
}

static int process(const char *uri, unsigned n, unsigned long rounds)
{
	struct session s = login(uri, n);

	while (rounds--)
		while (!count(&s, look(&s)))
			continue;
	logout(&s);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned processes = argc > 3 ? (unsigned)atoi(argv[2]) : 0;
	unsigned long rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	struct session s;
	uint64_t first, last;
	int status, failed = 0;

	if (!processes || !rounds)
		die(NULL, "usage: counter URI PROCESSES ROUNDS");
	s = login(argv[1], processes);
	first = look(&s);
	logout(&s);	/* who does not listen for a minute is not there any more */
	for (unsigned i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die(NULL, "fork");
		if (!pid)
			_exit(process(argv[1], i, rounds / processes));
	}
	for (unsigned i = 0; i < processes; i++)
		failed |= wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status);
	s = login(argv[1], processes);
	last = look(&s);
	printf("%llu updates kept of %lu\n", (unsigned long long)(last - first), rounds / processes * processes);
	logout(&s);
	return failed || last - first != rounds / processes * processes;
}

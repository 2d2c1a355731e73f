/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blast - a load that costs next to nothing, so that the server is what gets measured.
 *
 * It logs in to one target with one or more sessions and keeps a fixed number of commands under way on each, with one
 * thread.  One row of tab-separated values comes out: label, workload, bytes, depth, sessions, commands a second, MiB
 * a second, microseconds for half, 99 % and 99.9 % of the commands, CPU microseconds of the server for each command, "-"
 * where its process was not given, and how much of the time this thread was busy, in percent: where that is all of it, the
 * server is not what gets measured.  With -v the number of reads whose data was compared is a thirteenth, and digests of
 * what is read are compared as well.
 *
 * Status: 0; 1 the server did something wrong, a command that did not end in GOOD included; 2 usage.
 */
#include "config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "blast.h"

static const double RAMP_S = .5;

struct options o = { .io_bytes = 4096, .depth = 32, .sessions = 1, .seconds = 3, .luns = 1 };

static uint8_t *payload;
static uint32_t payload_digest;		/* of io_bytes of it, as it goes over the wire */
static uint64_t histogram[BUCKETS], n_done;
static bool measuring;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- the load ---- */

static void queue(struct session *s, const void *from, size_t len)
{
	if (s->tx_len + len > s->tx_size) {
		s->tx_size = (s->tx_len + len) * 2;
		s->tx = g_realloc(s->tx, s->tx_size);
	}
	memcpy(s->tx + s->tx_len, from, len);
	s->tx_len += len;
}

static void queue_pdu(struct session *s, uint8_t bhs[BHS_LEN], const uint8_t *data, uint32_t len)
{
	uint32_t d;

	put24(bhs + 5, len);
	queue(s, bhs, BHS_LEN);
	if (s->header_digest) {
		d = digest(bhs, BHS_LEN);
		queue(s, &d, sizeof d);
	}
	if (!len)
		return;
	queue(s, data, len);
	if (s->data_digest) {
		d = data == payload && len == (uint32_t)o.io_bytes ? payload_digest : digest(data, len);
		queue(s, &d, sizeof d);
	}
}

static const uint8_t *data_of(const struct session *s, uint32_t itt)
{
	return s->verify ? verify_data(s, itt) : payload;
}

static void queue_data_out(struct session *s, uint32_t itt, uint32_t ttt, uint32_t offset, uint32_t len)
{
	uint32_t end = offset + len, sn = 0;

	while (offset < end) {
		uint32_t n = MIN(end - offset, s->max_dsl);
		uint8_t bhs[BHS_LEN] = { OP_DATA_OUT, offset + n == end ? FINAL_BIT : 0 };

		put_lun(bhs + 8, s->lun[itt]);
		put32(bhs + 16, itt);
		put32(bhs + 20, ttt);
		put32(bhs + 28, s->exp_stat_sn);
		put32(bhs + 36, sn++);
		put32(bhs + 40, offset);
		queue_pdu(s, bhs, data_of(s, itt) + offset, n);
		offset += n;
	}
}

static uint64_t next_random(struct session *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static uint16_t take_tag(struct session *s)
{
	uint16_t itt = s->free_itt[--s->n_free];

	s->lun[itt] = (uint16_t)(o.lun + (o.luns > 1 ? (int)(next_random(s) % (uint64_t)o.luns) : 0));
	s->is_sync[itt] = false;
	s->started_ns[itt] = now_ns();
	s->outstanding++;
	return itt;
}

/* SYNCHRONIZE CACHE(10), of all blocks. */
static void queue_sync(struct session *s)
{
	uint16_t itt = take_tag(s);
	uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND, FINAL_BIT | 1, [32] = 0x35 };

	s->is_sync[itt] = true;
	s->unsynced = 0;
	put_lun(bhs + 8, s->lun[itt]);
	put32(bhs + 16, itt);
	put32(bhs + 24, s->cmd_sn++);
	put32(bhs + 28, s->exp_stat_sn);
	queue_pdu(s, bhs, NULL, 0);
}

static void queue_command(struct session *s, bool write)
{
	uint32_t len = (uint32_t)o.io_bytes, n = len / block_size, immediate = 0, unsolicited = 0;
	uint64_t slots = blocks / n, slot = o.sequential ? s->next++ % slots : next_random(s) % slots;
	uint16_t itt = take_tag(s);
	uint8_t bhs[BHS_LEN] = { OP_SCSI_COMMAND };

	if (s->verify)
		slot = verify_begin(s, itt, write, slot);
	if (write && s->immediate)
		immediate = MIN(len, MIN(s->max_dsl, s->first_burst));
	if (write && !s->initial_r2t)
		unsolicited = MIN(len, s->first_burst) - immediate;
	bhs[1] = (uint8_t)((write ? 0x20 : 0x40) | (unsolicited ? 0 : FINAL_BIT) | 1);
	put_lun(bhs + 8, s->lun[itt]);
	put32(bhs + 16, itt);
	put32(bhs + 20, len);
	put32(bhs + 24, s->cmd_sn++);
	put32(bhs + 28, s->exp_stat_sn);
	bhs[32] = write ? 0x2a : 0x28;
	put32(bhs + 34, (uint32_t)(slot * n));
	put16(bhs + 39, (uint16_t)n);
	queue_pdu(s, bhs, data_of(s, itt), immediate);
	if (unsolicited)
		queue_data_out(s, itt, TAG_NONE, immediate, unsolicited);
	s->unsynced += write;
}

static void fill(struct session *s)
{
	while (s->outstanding < (uint32_t)o.depth && (int32_t)(s->max_cmd_sn - s->cmd_sn) >= 0) {
		if (o.sync_after && s->unsynced >= o.sync_after)
			queue_sync(s);
		else
			queue_command(s, o.write_percent && next_random(s) % 100 < (uint32_t)o.write_percent);
	}
}

/* Tenths of a microsecond, 32 steps for each power of two. */
static unsigned bucket_of(uint64_t tenths)
{
	unsigned e = 63 - (unsigned)__builtin_clzll(tenths | 1);

	return tenths < 32 ? (unsigned)tenths : MIN(BUCKETS - 1, (e - 4) * 32 + (unsigned)(tenths >> (e - 5)) % 32);
}

static double bucket_us(unsigned b)
{
	unsigned e = b / 32 + 4;

	return b < 32 ? b / 10.0 : (double)((UINT64_C(1) << e) + ((uint64_t)(b % 32) << (e - 5))) / 10.0;
}

static void complete(struct session *s, const uint8_t *p)
{
	uint32_t itt = get32(p + 16);

	s->exp_stat_sn = get32(p + 24) + 1;
	if (itt >= (uint32_t)o.depth)
		die("a response with the unknown task tag 0x%x", itt);
	if (p[3])
		die("a command ended with status %02xh", p[3]);
	if (s->verify && !s->is_sync[itt])
		verify_end(s, itt);
	if (measuring && !s->is_sync[itt]) {
		histogram[bucket_of((now_ns() - s->started_ns[itt]) / 100)]++;
		n_done++;
	}
	s->free_itt[s->n_free++] = (uint16_t)itt;
	s->outstanding--;
}

static void pong(struct session *s, const uint8_t *p)
{
	uint8_t bhs[BHS_LEN] = { IMMEDIATE_BIT | OP_NOP_OUT, FINAL_BIT };

	if (get32(p + 20) == TAG_NONE)
		return;
	memcpy(bhs + 8, p + 8, 8);
	put32(bhs + 16, TAG_NONE);
	memcpy(bhs + 20, p + 20, 4);
	put32(bhs + 24, s->cmd_sn);
	put32(bhs + 28, s->exp_stat_sn);
	queue_pdu(s, bhs, NULL, 0);
}

/* The data of this PDU is to be looked at, and it ends the command only then. */
static void take_in(struct session *s, const uint8_t *p)
{
	uint32_t itt = get32(p + 16), at = get32(p + 40), len = get24(p + 5);

	if (itt >= (uint32_t)o.depth || at > (uint32_t)o.io_bytes || len > (uint32_t)o.io_bytes - at)
		die("data for the task tag 0x%x, %u bytes at %u, that nobody asked for", itt, len, at);
	s->before = p[4] * 4u + (s->header_digest ? DIGEST_LEN : 0);
	s->into = verify_data(s, itt) + at;
	s->into_len = len;
	s->summed = s->into;
	s->summed_len = len;
	s->header_sum_len = s->data_sum_len = 0;
	s->is_held = p[1] & 1;
	memcpy(s->held, p, BHS_LEN);
}

/* The first of n bytes, as far as they are missing from a digest. */
static void keep_sum(uint8_t sum[DIGEST_LEN], uint8_t *sum_len, const uint8_t *p, size_t n)
{
	while (n-- && *sum_len < DIGEST_LEN)
		sum[(*sum_len)++] = *p++;
}

/* All of a Data-In is here. */
static void check_sums(struct session *s)
{
	uint32_t of_header = digest(s->held, BHS_LEN), of_data = digest(s->summed, s->summed_len);

	if (s->header_digest && !s->held[4] && memcmp(s->header_sum, &of_header, DIGEST_LEN) != 0)
		die("Data-In with a wrong header digest");
	if (s->data_digest && s->summed_len && s->summed_len % 4 == 0 && memcmp(s->data_sum, &of_data, DIGEST_LEN) != 0)
		die("Data-In of %zu bytes with a wrong data digest", s->summed_len);
	s->summed = NULL;
}

/* Pass over n bytes, all that are wanted of them kept. */
static void pass(struct session *s, const uint8_t *p, size_t n)
{
	size_t before = MIN(n, s->before), len = MIN(n - before, s->into_len);

	if (s->summed) {
		keep_sum(s->header_sum, &s->header_sum_len, p, before);
		keep_sum(s->data_sum, &s->data_sum_len, p + before + len, n - before - len);
	}
	if (len) {
		memcpy(s->into, p + before, len);
		s->into += len;
	}
	s->before -= before;
	s->into_len -= len;
	s->skip -= n;
	if (!s->skip && s->summed)
		check_sums(s);
	if (!s->skip && s->is_held) {
		s->is_held = false;
		complete(s, s->held);
	}
}

static void handle(struct session *s, const uint8_t *p)
{
	switch (p[0] & OPCODE_MASK) {
	case OP_DATA_IN:
		if (s->verify)
			take_in(s, p);
		else if (p[1] & 1)
			complete(s, p);
		break;
	case OP_SCSI_RESPONSE:
		if (p[2])
			die("a command ended with response %02xh", p[2]);
		complete(s, p);
		break;
	case OP_R2T:
		queue_data_out(s, get32(p + 16), get32(p + 20), get32(p + 40), get32(p + 44));
		break;
	case OP_NOP_IN:
		pong(s, p);
		break;
	default:
		die("a PDU of opcode 0x%02x", p[0]);
	}
}

/* Without -v digests and data are passed over: it is the server that is measured. */
static void parse(struct session *s)
{
	size_t at = 0, n;

	while (s->rx_len - at > 0) {
		uint8_t *p = s->rx + at;
		uint32_t len;

		n = MIN(s->rx_len - at, s->skip);
		pass(s, s->rx + at, n);
		at += n;
		if (s->skip || s->rx_len - at < BHS_LEN)
			break;
		p = s->rx + at;
		len = get24(p + 5);
		at += BHS_LEN;
		s->skip = pad4(len) + (s->header_digest ? DIGEST_LEN : 0) + (s->data_digest && len ? DIGEST_LEN : 0) +
			  p[4] * 4u;
		if ((int32_t)(get32(p + 32) - s->max_cmd_sn) > 0)
			s->max_cmd_sn = get32(p + 32);
		handle(s, p);
		pass(s, p, 0);		/* of a PDU without data that is all */
	}
	memmove(s->rx, s->rx + at, s->rx_len - at);
	s->rx_len -= at;
}

/* True: all of it went out. */
static bool flush(struct session *s)
{
	while (s->tx_sent < s->tx_len) {
		ssize_t n = send(s->fd, s->tx + s->tx_sent, s->tx_len - s->tx_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
		if (n < 0 && errno != EINTR)
			die("send: %s", g_strerror(errno));
		s->tx_sent += n > 0 ? (size_t)n : 0;
	}
	s->tx_len = s->tx_sent = 0;
	return true;
}

static void go_on(struct session *s, int ep, bool was_full)
{
	ssize_t n = recv(s->fd, s->rx + s->rx_len, RX_BYTES - s->rx_len, MSG_DONTWAIT);
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };

	if (n == 0)
		die("the target closed the connection");
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die("recv: %s", g_strerror(errno));
	if (n > 0) {
		s->rx_len += (size_t)n;
		parse(s);
	}
	fill(s);
	if (!flush(s))
		e.events |= EPOLLOUT;
	if (was_full || e.events & EPOLLOUT)
		epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &e);
}

/* ---- the figures ---- */

static double cpu_seconds(void)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", o.pid), *text = NULL;
	unsigned long user, kernel;
	const char *p;

	if (!o.pid)
		return 0;
	p = g_file_get_contents(path, &text, NULL, NULL) ? strrchr(text, ')') : NULL;
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
		die("there is no process %d", o.pid);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* Of this thread, which is all there is. */
static double own_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double percentile(double q)
{
	uint64_t want = (uint64_t)((double)n_done * q), sum = 0;

	for (unsigned b = 0; b < BUCKETS; b++) {
		sum += histogram[b];
		if (sum > want)
			return bucket_us(b);
	}
	return 0;
}

static void report(double seconds, double cpu, double own)
{
	double rate = (double)n_done / seconds;

	printf("%s\t%s%s\t%d\t%d\t%d\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t", o.label, o.sequential ? "seq" : "rand", o.workload,
	       o.io_bytes, o.depth, o.sessions, rate, rate * o.io_bytes / 1048576, percentile(.5), percentile(.99),
	       percentile(.999));
	if (o.pid && n_done)
		printf("%.2f", cpu * 1e6 / (double)n_done);
	else
		putchar('-');
	printf("\t%.0f", 100 * own / seconds);
	if (o.verify)
		printf("\t%" PRIu64, n_verified);
	putchar('\n');
}

static void run(struct session *all)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), n;
	uint64_t from = now_ns() + (uint64_t)(MIN(RAMP_S, o.seconds / 2) * 1e9), until = UINT64_MAX, now;
	struct epoll_event ev[64];
	double cpu = 0, own = 0;

	for (int i = 0; i < o.sessions; i++) {
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = &all[i] };

		epoll_ctl(ep, EPOLL_CTL_ADD, all[i].fd, &e);
	}
	while ((now = now_ns()) < until) {
		if (!measuring && now >= from) {
			measuring = true;
			from = now;
			until = now + (uint64_t)(o.seconds * 1e9);
			cpu = cpu_seconds();
			own = own_seconds();
		}
		n = epoll_wait(ep, ev, G_N_ELEMENTS(ev), 100);
		for (int i = 0; i < n; i++)
			go_on(ev[i].data.ptr, ep, ev[i].events & EPOLLOUT);
	}
	report((double)(now - from) / 1e9, cpu_seconds() - cpu, own_seconds() - own);
	close(ep);
}

static bool workload_parse(void)
{
	static const struct { const char *name; int write_percent; } table[] = {
		{ "read", 0 }, { "write", 100 }, { "mix", 30 },
	};

	if (!o.workload)
		o.workload = g_strdup("read");
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
		if (g_str_equal(table[i].name, o.workload)) {
			o.write_percent = table[i].write_percent;
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	static const GOptionEntry entries[] = {
		{ "workload", 'w', 0, G_OPTION_ARG_STRING, &o.workload, "read, write or mix: 70 % reads", "WHAT" },
		{ "bytes", 'b', 0, G_OPTION_ARG_INT, &o.io_bytes, "Bytes a command, 4096 by default", "N" },
		{ "depth", 'q', 0, G_OPTION_ARG_INT, &o.depth, "Commands under way in each session, 32 by default; 0: none", "N" },
		{ "sessions", 'c', 0, G_OPTION_ARG_INT, &o.sessions, "Sessions, of one connection each", "N" },
		{ "luns", 'L', 0, G_OPTION_ARG_INT, &o.luns, "Each command to any of N, from LUN on", "N" },
		{ "idle", 'i', 0, G_OPTION_ARG_INT, &o.idle, "Sessions beside these that do nothing", "N" },
		{ "sync", 'y', 0, G_OPTION_ARG_INT, &o.sync_after, "SYNCHRONIZE CACHE after N writes of a session, not counted",
		  "N" },
		{ "sequential", 's', 0, G_OPTION_ARG_NONE, &o.sequential, "Not at random addresses", NULL },
		{ "verify", 'v', 0, G_OPTION_ARG_NONE, &o.verify, "Compare what is read with what was written", NULL },
		{ "seconds", 't', 0, G_OPTION_ARG_DOUBLE, &o.seconds, "Time measured, 3 by default", "N" },
		{ "pid", 'p', 0, G_OPTION_ARG_INT, &o.pid, "The server's process", "PID" },
		{ "label", 'l', 0, G_OPTION_ARG_STRING, &o.label, "First column of the output", "TEXT" },
		{ "header-digest", 0, 0, G_OPTION_ARG_NONE, &o.header_digest, "HeaderDigest=CRC32C", NULL },
		{ "data-digest", 0, 0, G_OPTION_ARG_NONE, &o.data_digest, "DataDigest=CRC32C", NULL },
		{ NULL },
	};
	g_autoptr(GOptionContext) ctx = g_option_context_new("HOST:PORT IQN [LUN]");
	g_autoptr(GError) error = NULL;
	struct session *all;
	char *colon;

	g_option_context_add_main_entries(ctx, entries, NULL);
	if (!g_option_context_parse(ctx, &argc, &argv, &error) || argc < 3 || argc > 4 || !workload_parse() ||
	    !(colon = strrchr(argv[1], ':')) || o.depth < 0 || o.depth > DEPTH_MAX || o.io_bytes < 512 ||
	    o.io_bytes > 0xffff * 512 || o.sessions < 1 || o.idle < 0 || o.luns < 1 || o.luns > 16384 ||
	    (o.luns > 1 && (o.verify || o.sync_after)) || o.sync_after < 0 || !(o.seconds > 0)) {
		fprintf(stderr, "blast: %s (see blast --help)\n", error ? error->message : "wrong arguments");
		return 2;
	}
	if (!o.label)
		o.label = g_strdup(argv[1]);
	o.host = g_strndup(argv[1], (gsize)(colon - argv[1]));
	o.port = g_strdup(colon + 1);
	o.iqn = argv[2];
	o.lun = argc > 3 ? atoi(argv[3]) : 0;
	payload = g_malloc((gsize)o.io_bytes);
	memset(payload, 0xa5, (size_t)o.io_bytes);
	payload_digest = digest(payload, (size_t)o.io_bytes);
	all = g_new0(struct session, o.sessions + o.idle);
	for (int i = 0; i < o.sessions + o.idle; i++)
		session_open(&all[i], (unsigned)i);
	for (int i = 0; o.verify && i < o.sessions; i++)
		verify_open(&all[i]);
	run(all);
	for (int i = 0; i < o.sessions + o.idle; i++) {
		close(all[i].fd);
		verify_close(&all[i]);
		g_free(all[i].tx);
	}
	g_free(all);
	g_free(payload);
	return 0;
}

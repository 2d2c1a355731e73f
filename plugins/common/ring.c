/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.c - see ring.h.  Each thread of the core that submits has a ring of its own, for all devices, and waits for what is done
 * there with all that it waits for; so nothing here is locked, and no other thread is woken.
 */
#include "config.h"
#include "ring.h"
#ifdef HAVE_LIBURING
#include <errno.h>
#include <limits.h>
#include <liburing.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <gotgt/ext-threads.h>

#define DEPTH 256u	/* under way at once; what is more waits on workers */
/*
 * With so many of the thread's under way there is something to do, and what comes waits for its next turn, with what else
 * comes until then: one call for all, and a virtual disk is rung once.
 */
#define ENOUGH 4u

/*
 * So much of what was read is answered in one turn.  Answers of a turn leave with its end, and new commands are seen then: while
 * much more is copied to sockets the device has nothing to do.  With less a client is woken for each answer, and its next
 * commands come one by one, of which each is a call of the device.
 */
#define TURN_BYTES 1048576u
#define TURN_PART 2u	/* and of all there is that part */

struct waiting { struct disk *disk; struct gotgt_io *io; struct io_uring_sqe *sqe; };

struct ring {
	struct io_uring uring;
	void *watch;
	int done;		/* an eventfd: something may be done.  The ring's own descriptor says so only when it is asked. */
	unsigned flying;	/* requests not answered */
	unsigned n_waiting;	/* the last of them, which the kernel has not been told of */
	struct waiting waiting[DEPTH];
};

/* Of this thread; NULL: none, for no device or for want of something. */
static _Thread_local struct ring *mine;
static _Thread_local unsigned users;

static const struct gotgt_threads *threads(void)
{
	return gotgt_host->extension(GOTGT_EXT_THREADS);
}

/* A part that was done is done again with the whole: the bytes are the same.  Returns what was read. */
static uint64_t answer(struct ring *r, struct io_uring_cqe *cqe)
{
	struct gotgt_io *io = io_uring_cqe_get_data(cqe);
	int64_t done = cqe->res;
	uint64_t bytes;

	io_uring_cqe_seen(&r->uring, cqe);
	if (!io)
		return 0;
	r->flying--;
	bytes = io->op == GOTGT_OP_READ ? io->length : 0;
	gotgt_io_done(io, done == (int64_t)io->length ? GOTGT_OK : GOTGT_ERR_AGAIN);
	return bytes;
}

/* Have ready() called once more.  False: it will not be. */
static bool ring_again(struct ring *r)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(r->done, &one, sizeof one);
	while (n < 0 && errno == EINTR);
	return n == sizeof one;
}

/* It stays in line, as nothing, and a worker has to do it.  Returns how many are refused, of what was that many. */
static unsigned refuse(struct waiting *w, struct gotgt_io **refused, unsigned n)
{
	if (!w->io)
		return n;
	io_uring_prep_nop(w->sqe);
	io_uring_sqe_set_data(w->sqe, NULL);
	refused[n] = w->io;
	w->io = NULL;
	return n + 1;
}

/* What would make a file longer again that was cut: looked at right before it begins, and once for all of a device in a row. */
static unsigned refuse_beyond(struct ring *r, struct gotgt_io **refused)
{
	struct disk *looked_at = NULL;
	uint64_t end = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_waiting; i++) {
		struct waiting *w = &r->waiting[i];

		if (w->io->op != GOTGT_OP_WRITE)
			continue;
		if (w->disk != looked_at)
			end = disk_end(looked_at = w->disk);
		if (w->io->offset + w->io->length > end)
			n = refuse(w, refused, n);
	}
	return n;
}

/* Tell the kernel.  What it does not take is still in line, and goes with the next ones. */
static void hand_over(struct ring *r)
{
	struct gotgt_io *refused[DEPTH];
	unsigned left, n = refuse_beyond(r, refused);

	io_uring_submit(&r->uring);
	left = io_uring_sq_ready(&r->uring);
	for (unsigned i = left < r->n_waiting ? r->n_waiting - left : 0; i < r->n_waiting; i++)
		n = refuse(&r->waiting[i], refused, n);
	r->n_waiting = 0;
	r->flying -= n;
	for (unsigned i = 0; i < n; i++)
		gotgt_io_done(refused[i], GOTGT_ERR_AGAIN);
}

static void ready(void *arg)
{
	struct ring *r = arg;
	struct io_uring_cqe *cqe;
	uint64_t n, bytes = 0;
	unsigned least;

	/* Before it is looked at: what is done after that rings again. */
	while (read(r->done, &n, sizeof n) < 0 && errno == EINTR)
		continue;
	if (r->n_waiting)
		hand_over(r);
	io_uring_get_events(&r->uring);
	least = io_uring_cq_ready(&r->uring) / TURN_PART;
	for (unsigned done = 0; (bytes < TURN_BYTES || done < least) && io_uring_peek_cqe(&r->uring, &cqe) == 0; done++)
		bytes += answer(r, cqe);
	if (io_uring_cq_ready(&r->uring) && !ring_again(r))
		while (io_uring_peek_cqe(&r->uring, &cqe) == 0)
			answer(r, cqe);
}

/* All calls are this thread's; what is done is told when it asks, and interrupts nobody, since Linux 6.1. */
static int set_up(struct ring *r)
{
	int err = io_uring_queue_init(DEPTH, &r->uring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

	return err == -EINVAL ? io_uring_queue_init(DEPTH, &r->uring, 0) : err;
}

static void ring_free(struct ring *r)
{
	if (r->watch)
		threads()->unwatch(r->watch);
	if (r->uring.ring_fd >= 0)
		io_uring_queue_exit(&r->uring);
	if (r->done >= 0)
		close(r->done);
	free(r);
}

static struct ring *ring_new(void)
{
	struct ring *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->done < 0 || set_up(r) < 0)
		r->uring.ring_fd = -1;
	else if (io_uring_register_eventfd(&r->uring, r->done) == 0)
		r->watch = threads()->watch(r->done, ready, r);
	if (r->watch)
		return r;
	ring_free(r);
	return NULL;
}

static void join_one(void *failed)
{
	if (!users++)
		mine = ring_new();
	if (!mine)
		atomic_store((atomic_bool *)failed, true);
}

static void leave_one(void *arg)
{
	if (--users || !mine)
		return;
	ring_free(mine);
	mine = NULL;
}

bool ring_join(struct gotgt_lun *lun)
{
	atomic_bool failed = false;

	if (!threads())
		return false;
	threads()->each(lun, join_one, &failed);
	return !atomic_load(&failed);
}

void ring_leave(struct gotgt_lun *lun)
{
	if (threads())
		threads()->each(lun, leave_one, NULL);
}

/* NULL: all places are taken by what the kernel has refused, and still does. */
static struct io_uring_sqe *get_sqe(struct ring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);

	return sqe || r->n_waiting || io_uring_submit(&r->uring) <= 0 ? sqe : io_uring_get_sqe(&r->uring);
}

bool ring_submit(struct disk *disk, struct gotgt_io *io)
{
	struct io_uring_sqe *sqe = NULL;

	if (mine && mine->flying < DEPTH && io->iovcnt <= IOV_MAX && io->length <= INT_MAX)
		sqe = get_sqe(mine);
	if (!sqe)
		return false;
	if (io->op == GOTGT_OP_READ)
		io_uring_prep_readv(sqe, disk->fd, io->iov, io->iovcnt, io->offset);
	else
		io_uring_prep_writev(sqe, disk->fd, io->iov, io->iovcnt, io->offset);
	io_uring_sqe_set_data(sqe, io);
	mine->waiting[mine->n_waiting++] = (struct waiting){ disk, io, sqe };
	if (mine->flying++ < ENOUGH || (mine->n_waiting == 1 && !ring_again(mine)))
		hand_over(mine);
	return true;
}

#else

bool ring_join(struct gotgt_lun *lun)
{
	return false;
}

void ring_leave(struct gotgt_lun *lun)
{
}

bool ring_submit(struct disk *disk, struct gotgt_io *io)
{
	return false;
}
#endif

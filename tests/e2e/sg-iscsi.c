/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sg-iscsi.c - preloaded into tools that speak SG_IO: a device called iscsi://... is a logical unit behind libiscsi,
 * so that sg3_utils and the like look at a target without a kernel's initiator.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

static struct iscsi_context *session;
static int session_lun, session_fd = -1;

/* What the session's descriptor is good for is to be a number that nobody else has. */
static int log_in(const char *url_text, int (*next)(const char *path, int flags, ...))
{
	struct iscsi_url *url;

	if (session)	/* a tool that opens its device twice */
		return session_fd = next("/dev/null", O_RDWR);
	session = iscsi_create_context("iqn.2016-09.com.gotgt:sg");
	url = session ? iscsi_parse_full_url(session, url_text) : NULL;
	if (!url) {
		errno = EINVAL;
		return -1;
	}
	iscsi_set_targetname(session, url->target);
	iscsi_set_session_type(session, ISCSI_SESSION_NORMAL);
	if (iscsi_full_connect_sync(session, url->portal, url->lun)) {
		fprintf(stderr, "%s: %s\n", url_text, iscsi_get_error(session));
		errno = EIO;
		return -1;
	}
	session_lun = url->lun;
	iscsi_destroy_url(url);
	return session_fd = next("/dev/null", O_RDWR);
}

static int open_any(const char *name, const char *path, int flags, unsigned mode)
{
	int (*next)(const char *path, int flags, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);

	return strncmp(path, "iscsi://", 8) ? next(path, flags, mode) : log_in(path, next);
}

#define OPEN(name)							\
	int name(const char *path, int flags, ...)			\
	{								\
		unsigned mode = 0;					\
		va_list ap;						\
									\
		va_start(ap, flags);					\
		if (flags & O_CREAT)					\
			mode = va_arg(ap, unsigned);			\
		va_end(ap);						\
		return open_any(#name, path, flags, mode);		\
	}
OPEN(open)
OPEN(open64)
/* What glibc's headers make of open() where _FORTIFY_SOURCE is set. */
OPEN(__open_2)
OPEN(__open64_2)

/* RFC 7143 11.4.7: SenseLength comes first. */
static void give_sense(struct sg_io_hdr *hdr, const struct scsi_task *task)
{
	size_t len;

	if (task->status != SCSI_STATUS_CHECK_CONDITION || task->datain.size < 2)
		return;
	len = (size_t)task->datain.data[0] << 8 | task->datain.data[1];
	if (len > (size_t)task->datain.size - 2)
		len = (size_t)task->datain.size - 2;
	if (len > hdr->mx_sb_len)
		len = hdr->mx_sb_len;
	memcpy(hdr->sbp, task->datain.data + 2, len);
	hdr->sb_len_wr = (unsigned char)len;
	hdr->driver_status = 0x08;	/* sense data is there */
}

static void give_result(struct sg_io_hdr *hdr, const struct scsi_task *task)
{
	hdr->status = (unsigned char)task->status;
	hdr->masked_status = (hdr->status >> 1) & 0x1f;
	hdr->host_status = hdr->driver_status = 0;
	hdr->sb_len_wr = 0;
	hdr->resid = task->residual_status == SCSI_RESIDUAL_UNDERFLOW ? (int)task->residual : 0;
	give_sense(hdr, task);
	if (hdr->status == SCSI_STATUS_GOOD && hdr->dxfer_direction == SG_DXFER_FROM_DEV) {
		size_t len = (size_t)task->datain.size;

		memcpy(hdr->dxferp, task->datain.data, len < hdr->dxfer_len ? len : hdr->dxfer_len);
	}
	hdr->info = hdr->status ? SG_INFO_CHECK : SG_INFO_OK;
}

static int sg_io(struct sg_io_hdr *hdr)
{
	bool out = hdr->dxfer_direction == SG_DXFER_TO_DEV;
	struct iscsi_data data = { .size = hdr->dxfer_len, .data = hdr->dxferp };
	struct scsi_task *task = scsi_create_task(hdr->cmd_len, hdr->cmdp, !hdr->dxfer_len ? SCSI_XFER_NONE :
						  out ? SCSI_XFER_WRITE : SCSI_XFER_READ, (int)hdr->dxfer_len);

	if (!task || !iscsi_scsi_command_sync(session, session_lun, task, out ? &data : NULL)) {
		errno = EIO;
		return -1;
	}
	give_result(hdr, task);
	scsi_free_scsi_task(task);
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int fd, unsigned long request, ...);
	void *arg;
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd < 0 || fd != session_fd) {
		if (!next)
			next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
		return next(fd, request, arg);
	}
	if (request == SG_IO)
		return sg_io(arg);
	errno = ENOTTY;
	return -1;
}

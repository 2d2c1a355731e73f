/* SPDX-License-Identifier: Apache-2.0 */
/* has-uring.c - 0: we were built with io_uring, and the kernel lets us use it; 77: one of them is not so. */
#include "config.h"
#ifdef HAVE_LIBURING
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	struct io_uring_params params = { 0 };

	return syscall(SYS_io_uring_setup, 1, &params) < 0 ? 77 : 0;
}
#else
int main(void)
{
	return 77;
}
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c - a write that happens only if the bytes there are as expected: gotgt.compare/1, asked on a worker. */
#include "config.h"
#include "backstore/device-internal.h"

static void home(struct post *p)
{
	struct device_compare *c = container_of(p, struct device_compare, post);

	c->done(c);
}

static void go_home(struct device_compare *c, enum gotgt_status status)
{
	c->status = status;
	c->post.run = home;
	reactor_post(c->reactor, &c->post);
}

/* What is no answer is an error: whether anything was written is not known. */
static enum gotgt_status answer(const struct device_compare *c, enum gotgt_status status)
{
	if (status == GOTGT_OK && c->same > c->length) {
		device_breach(c->dev, "compared more than it was told to");
		return GOTGT_ERR_IO;
	}
	return status <= GOTGT_ERR_NO_MEMORY && status != GOTGT_ERR_CANCELED ? status : GOTGT_ERR_IO;
}

static void ask(struct work *w)
{
	struct device_compare *c = container_of(w, struct device_compare, work);
	struct device *dev = c->dev;

	c->same = 0;
	go_home(c, answer(c, dev->compare.compare_and_write(dev->handle, c->offset, c->length, c->expected, c->data,
							    &c->same)));
}

void device_compare(struct device *dev, struct device_compare *c)
{
	c->dev = dev;
	c->same = 0;
	if (!dev->info.compares || (dev->max_io_size && c->length > dev->max_io_size)) {
		go_home(c, GOTGT_ERR_UNSUPPORTED);
	} else if (dev->info.flags & GOTGT_DEV_READ_ONLY) {
		go_home(c, GOTGT_ERR_READ_ONLY);
	} else {
		c->work.run = ask;
		device_to_worker(dev, &c->work);
	}
}

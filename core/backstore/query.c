/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - which parts of a device take space: gotgt.extents/1, asked on a worker. */
#include "config.h"
#include "backstore/device-internal.h"

static void home(struct post *p)
{
	struct device_query *q = container_of(p, struct device_query, post);

	if (q->dev->info.extents && q->dev->ops->flags & GOTGT_PLUGIN_SERIAL)
		device_serial_give(q->dev);
	q->done(q);
}

static void go_home(struct device_query *q, enum gotgt_status status)
{
	q->status = status;
	q->post.run = home;
	reactor_post(q->reactor, &q->post);
}

/* In order, without gaps, never nothing: ext-extents.h. */
static bool answer_ok(const struct device_query *q)
{
	uint64_t covered = 0;

	if (!q->count || q->count > q->max)
		return false;
	for (uint32_t i = 0; i < q->count; i++) {
		const struct gotgt_extent *e = &q->extents[i];

		if (!e->length || e->length > q->length - covered || e->state > GOTGT_EXTENT_ZERO)
			return false;
		covered += e->length;
	}
	return true;
}

static void ask(struct work *w)
{
	struct device_query *q = container_of(w, struct device_query, work);
	struct device *dev = q->dev;
	enum gotgt_status status;

	q->count = 0;
	status = dev->extents.query(dev->handle, q->offset, q->length, q->extents, q->max, &q->count);
	if (status == GOTGT_OK && !answer_ok(q)) {
		device_breach(dev, "described its extents with gaps or overlaps");
		status = GOTGT_ERR_IO;
	}
	go_home(q, status);
}

static void start(struct post *p)
{
	struct device_query *q = container_of(p, struct device_query, post);

	q->work.run = ask;
	device_to_worker(q->dev, &q->work);
}

void device_query(struct device *dev, struct device_query *q)
{
	q->dev = dev;
	q->count = 0;
	if (!dev->info.extents) {
		go_home(q, GOTGT_ERR_UNSUPPORTED);
		return;
	}
	q->post.run = start;
	q->turn = (struct device_turn){ .reactor = q->reactor, .post = &q->post };
	if (!(dev->ops->flags & GOTGT_PLUGIN_SERIAL) || device_serial_take(dev, &q->turn))
		start(&q->post);
}

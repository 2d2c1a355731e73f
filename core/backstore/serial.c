/* SPDX-License-Identifier: Apache-2.0 */
/* serial.c - the line before a plugin that takes one request at a time (GOTGT_PLUGIN_SERIAL). */
#include "config.h"
#include <pthread.h>
#include "backstore/device-internal.h"

bool device_serial_take(struct device *dev, struct device_turn *t)
{
	bool ours;

	pthread_mutex_lock(&dev->lock);
	ours = !dev->serial_busy;
	dev->serial_busy = true;
	if (!ours) {
		t->next = NULL;
		*dev->serial_tail = t;
		dev->serial_tail = &t->next;
	}
	pthread_mutex_unlock(&dev->lock);
	return ours;
}

bool device_serial_try(struct device *dev)
{
	bool ours;

	pthread_mutex_lock(&dev->lock);
	ours = !dev->serial_busy;
	dev->serial_busy = true;
	pthread_mutex_unlock(&dev->lock);
	return ours;
}

void device_serial_give(struct device *dev)
{
	struct device_turn *next;

	pthread_mutex_lock(&dev->lock);
	next = dev->serial_head;
	if (next) {
		dev->serial_head = next->next;
		if (!dev->serial_head)
			dev->serial_tail = &dev->serial_head;
	} else {
		dev->serial_busy = false;
	}
	pthread_mutex_unlock(&dev->lock);
	if (next)
		reactor_post(next->reactor, next->post);
}

bool device_serial_leave(struct device *dev, struct device_turn *t)
{
	struct device_turn **p;
	bool waited;

	pthread_mutex_lock(&dev->lock);
	for (p = &dev->serial_head; *p && *p != t; )
		p = &(*p)->next;
	waited = *p;
	if (waited) {
		*p = t->next;
		if (dev->serial_tail == &t->next)
			dev->serial_tail = p;
	}
	pthread_mutex_unlock(&dev->lock);
	return waited;
}

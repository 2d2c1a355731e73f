/* SPDX-License-Identifier: MIT */
/*
 * gotgt/ext-size.h - "gotgt.size/1": a device whose size may change without anybody
 * telling.  Since gotgt 0.1; the words of plugin.h on threads and ownership hold.
 */
#ifndef GOTGT_EXT_SIZE_H
#define GOTGT_EXT_SIZE_H

#include <gotgt/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOTGT_EXT_SIZE "gotgt.size/1"

struct gotgt_size {
	uint32_t size;		/* bytes: sizeof(struct gotgt_size) */
	uint32_t reserved0;	/* 0 */
	/*
	 * Look how large the device is, and call gotgt_host->resized() when that
	 * has changed.  Called when an initiator asks for the capacity or whether
	 * the unit is ready, meets the end of the device, when somebody looks at
	 * it over the control socket, and at a reload.  Does not wait for the medium.  Concurrent for one device.  [any]
	 */
	void (*look)(void *dev);
};

#ifdef __cplusplus
}
#endif

#endif

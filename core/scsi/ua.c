/* SPDX-License-Identifier: Apache-2.0 */
/* ua.c - unit attention conditions: a set of bits for each nexus and LUN, so none is queued twice. */
#include "config.h"
#include <pthread.h>
#include "scsi/lun.h"

const uint8_t ua_codes[UA_COUNT] = {
	[UA_POWER_ON] = SENSE_UA_POWER_ON,
	[UA_RESET] = SENSE_UA_RESET,
	[UA_NEXUS_LOSS] = SENSE_UA_NEXUS_LOSS,
	[UA_COMMANDS_CLEARED] = SENSE_UA_COMMANDS_CLEARED,
	[UA_MEDIUM_CHANGED] = SENSE_UA_MEDIUM_CHANGED,
	[UA_MODE_CHANGED] = SENSE_UA_MODE_CHANGED,
	[UA_RES_PREEMPTED] = SENSE_UA_RES_PREEMPTED,
	[UA_RES_RELEASED] = SENSE_UA_RES_RELEASED,
	[UA_REG_PREEMPTED] = SENSE_UA_REG_PREEMPTED,
	[UA_CAPACITY_CHANGED] = SENSE_UA_CAPACITY_CHANGED,
	[UA_ACCESS_CHANGED] = SENSE_UA_ACCESS_CHANGED,
	[UA_INQUIRY_CHANGED] = SENSE_UA_INQUIRY_CHANGED,
	[UA_LUNS_CHANGED] = SENSE_UA_LUNS_CHANGED,
};

int ua_of_code(enum sense_code code)
{
	for (int ua = 0; ua < UA_COUNT; ua++)
		if (ua_codes[ua] == code)
			return ua;
	return -1;
}

enum sense_code ua_take(struct nexus_lun *nl)
{
	unsigned set = atomic_load(&nl->ua);
	int ua = g_bit_nth_lsf(set, -1);

	if (ua < 0)
		return SENSE_NONE;
	atomic_fetch_and(&nl->ua, ~(1u << ua));
	return ua_codes[ua];
}

void target_set_ua(struct target *t, uint32_t number, enum ua ua, const struct nexus *except)
{
	pthread_mutex_lock(&t->lock);
	for (guint i = 0; i < t->nexuses->len; i++)
		if (t->nexuses->pdata[i] != except)
			nexus_set_ua(t->nexuses->pdata[i], number, ua);
	pthread_mutex_unlock(&t->lock);
}

void target_set_ua_all(struct target *t, enum ua ua, const struct nexus *except)
{
	pthread_mutex_lock(&t->lock);
	for (guint i = 0; i < t->nexuses->len; i++)
		if (t->nexuses->pdata[i] != except)
			nexus_set_ua_all(t->nexuses->pdata[i], ua);
	pthread_mutex_unlock(&t->lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.h - where a target is reached, for SendTargets and whatever else announces targets. */
#ifndef GOTGT_DISCOVERY_H
#define GOTGT_DISCOVERY_H

#include "iscsi/node.h"

#define DISCOVERY_ADDR_MAX 80	/* "[ADDR]:PORT", whatever the family */

/*
 * The address to announce for a portal: as bound, or, bound to any address, with the one the asking connection came
 * in on.  False when the two are of different families: there is nothing to say.  [any]
 */
bool discovery_address(char out[DISCOVERY_ADDR_MAX], const struct portal *p, const struct sockaddr_storage *local);

#endif

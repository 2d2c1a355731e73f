/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.h - where a target is reached, for SendTargets and whatever else announces targets. */
#ifndef GOTGT_DISCOVERY_H
#define GOTGT_DISCOVERY_H

#include "iscsi/address.h"
#include "iscsi/node.h"

/*
 * The address to announce for a portal: what it is to be advertised as, else as bound, or, bound to any address, with
 * the one the asking connection came in on (local NULL: nobody asks, as bound).  False when the two are of different
 * families: there is nothing to say.
 * Under node->lock.  [any]
 */
bool discovery_address(char out[ADDRESS_MAX], const struct portal *p, const struct sockaddr_storage *local);

#endif

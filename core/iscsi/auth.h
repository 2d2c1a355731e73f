/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who may log in, and how a login proves it: accounts, their logins, the brake on guessing. */
#ifndef GOTGT_AUTH_H
#define GOTGT_AUTH_H

#include <sys/socket.h>
#include "iscsi/chap.h"
#include "iscsi/keys.h"

/* The accounts of a target, or of discovery.  Not changed once logins can see it; counted references.  [any] */
struct auth;
struct auth *auth_new(const uint8_t *order, unsigned n_order);
/* mutual_user and mutual_secret may be NULL.  Everything is copied. */
void auth_add(struct auth *a, const char *user, const char *secret, const char *mutual_user, const char *mutual_secret);
/* The place of an account whose mutual secret is the secret of one; -1: none. */
int auth_shared_secret(const struct auth *a);
struct auth *auth_ref(struct auth *a);	/* NULL stays NULL */
void auth_unref(struct auth *a);

/* What logins of a node share: challenges given out, addresses that have failed.  [any] */
struct auth_guard;
struct auth_guard *auth_guard_new(void);
void auth_guard_free(struct auth_guard *g);

/* The brake.  An IPv6 address stands for its /64; other families have none. */
enum { AUTH_ADDRESSES_MAX = 1024, AUTH_DELAY_FIRST_MS = 250, AUTH_DELAY_MAX_MS = 4000, AUTH_FORGET_MS = 600000 };
void auth_failed(struct auth_guard *g, const struct sockaddr_storage *from, uint64_t now_ms);
void auth_succeeded(struct auth_guard *g, const struct sockaddr_storage *from);
/* How long the next answer has to wait. */
uint32_t auth_delay_ms(struct auth_guard *g, const struct sockaddr_storage *from, uint64_t now_ms);

/* One login.  [reactor] */
struct auth_login;
/* Takes the reference a; NULL: nobody is asked who he is, and so is the result. */
struct auth_login *auth_login_new(struct auth_guard *g, struct auth *a);
void auth_login_free(struct auth_login *l);
/* The name it has given, or NULL; also of NULL. */
const char *auth_login_user(const struct auth_login *l);
/* Once after each response of the initiator that was looked at: this answer is the one to delay. */
bool auth_login_tried(struct auth_login *l);
/* After keys_negotiate(): CHAP's keys are taken from n and answered.  l may be NULL. */
struct chap_verdict auth_on_text(struct auth_login *l, struct negotiation *n, GByteArray *out);
/* May the login leave the security stage, or be in another?  *wait: not yet, it is at it.  l may be NULL. */
struct chap_verdict auth_gate(const struct auth_login *l, bool security, bool leaving, bool *wait);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - what a configuration describes, running; and a new configuration applied to it.  [main] */
#ifndef GOTGT_SERVER_H
#define GOTGT_SERVER_H

#include "config/conf.h"
#include "config/plugins.h"
#include "iscsi/node.h"

struct server;

#define SERVER_ERROR g_quark_from_static_string("gotgt-server-error")

/*
 * Start all of conf, which has been checked, or nothing.  skip_broken: a LUN whose plugin or device
 * does not open is logged and left out, and the rest runs; else it is an error like any other.
 * conf is the server's from here, even when this fails; plugin_dirs must outlive it.
 */
struct server *server_start(struct conf *conf, char **plugin_dirs, bool skip_broken, GError **error);

/*
 * Become what conf says, or stay as it was: what is new is opened first, what is the same is not
 * touched.  What changed is logged.  A LUN that did not open before and has not changed is tried
 * again, and may fail again.  conf is the server's from here, even when this fails.
 */
bool server_apply(struct server *s, struct conf *conf, GError **error);

/*
 * One target of a running server, or one more, or one less, at a cost that does not grow with the others.
 * server_conf_part() is a copy of what runs of which the list of targets has this one alone, or none (NULL, or there is
 * no such); it is changed, and server_apply_part() makes the target called iqn what it is there, or removes it.  The
 * other settings are as they were.  A LUN of another target that did not open is not tried again.
 */
struct conf *server_conf_part(const struct server *s, const char *iqn);
bool server_apply_part(struct server *s, struct conf *part, const char *iqn, GError **error);

/* Finish commands in flight, log out sessions, flush and close every device. */
void server_stop(struct server *s, unsigned grace_ms);

const struct conf *server_conf(const struct server *s);
struct node;
struct lun;
/* As it runs; NULL: there is none. */
const struct conf_target *server_target(const struct server *s, const char *iqn);
struct node *server_node(const struct server *s);
const char *const *server_plugin_dirs(const struct server *s);
/* The LUN that is served; NULL: there is none, or it did not open. */
struct lun *server_lun(const struct server *s, const char *iqn, uint32_t number);
/* Can a running LUN become b from a without its device being opened anew? */
bool server_same_device(const struct conf_lun *a, const struct conf_lun *b);
/* "ADDR:PORT" of the n-th portal as bound, NULL past the end. */
const char *server_portal(const struct server *s, unsigned n);
/* node_sessions() and node_drop_session(). */
GArray *server_sessions(struct server *s);
bool server_drop_session(struct server *s, uint16_t tsih);
/* engine_pulse(): do all threads that serve connections run? */
bool server_pulse(struct server *s);
/* LUNs that are served. */
unsigned server_luns(const struct server *s);

#endif
